//! A gate before the round trips of one handle, so that a case can hold a call up between two of them.

use std::fmt;

use tokio::sync::watch;

/// Where the round trips of one handle of a store pass, one after the other, before they are made.
///
/// A [`Space`](crate::Space) brings one along for the handle that is opened with it. Over the space's
/// [lines](crate::Space::lines_to) nothing has to be done for it; a store that reaches its backend in another way
/// [passes](Self::pass) it itself.
pub struct Gate {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// How many more may pass; all, if nothing is said.
    left: Option<u64>,
    is_somebody_held: bool,
}

impl Gate {
    pub(crate) fn open_wide() -> Self {
        Self { state: watch::Sender::new(State { left: None, is_somebody_held: false }) }
    }

    /// Waits until one more round trip may be made. Where a case takes the handle's process for dead, that is never.
    pub async fn pass(&self) {
        let mut watched = self.state.subscribe();
        loop {
            let mut passes = false;
            self.state.send_if_modified(|state| match state.left {
                None => {
                    passes = true;
                    false
                }
                Some(0) => !std::mem::replace(&mut state.is_somebody_held, true),
                Some(left) => {
                    state.left = Some(left - 1);
                    passes = true;
                    false
                }
            });
            // The sender is this gate's own: it is there.
            if passes || watched.changed().await.is_err() {
                return;
            }
        }
    }

    /// Lets so many round trips pass and holds what comes then.
    pub(crate) fn close_after(&self, trips: u64) {
        self.state.send_replace(State { left: Some(trips), is_somebody_held: false });
    }

    /// Waits until something is held.
    pub(crate) async fn holds(&self) {
        drop(self.state.subscribe().wait_for(|state| state.is_somebody_held).await);
    }

    /// Lets everything pass again.
    pub(crate) fn reopen(&self) {
        self.state.send_replace(State { left: None, is_somebody_held: false });
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&*self.state.borrow()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_gate_holds_the_trip_that_it_is_told_to_hold() {
        let gate = Arc::new(Gate::open_wide());
        gate.close_after(2);
        let passing = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move {
                for _ in 0..3 {
                    gate.pass().await;
                }
            }
        });
        gate.holds().await;
        assert!(!passing.is_finished(), "the third one passed");
        gate.reopen();
        passing.await.expect("the task does not panic");
    }
}
