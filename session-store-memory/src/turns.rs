//! Long calls in short turns: whoever else the runtime has to serve is served between them.

use std::task::Poll;

/// How many records a call looks at before it lets others in.
pub(crate) const TURN: usize = 1024;

/// Lets the runtime serve others, if it is one that takes turns, and goes on after that.
pub(crate) async fn next_turn() {
    let mut is_over = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts what a call has looked at, and takes the next turn when it is time.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    looks: usize,
}

impl Turns {
    pub(crate) async fn looked_at(&mut self, records: usize) {
        self.looks += records;
        if self.looks >= TURN {
            self.looks = 0;
            next_turn().await;
        }
    }
}
