//! Taking turns: an asynchronous lock that needs no runtime.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Lets one task after the other do what takes several steps: opening a session, saving it.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    taken: bool,
    waiting: Vec<Waker>,
}

/// One task's turn, which ends when this is dropped, also by cancellation.
#[derive(Debug)]
pub(crate) struct Taken<'a>(&'a Turn);

impl Turn {
    /// Waits for the turn. All who wait are woken when one ends, so that a waiter that was cancelled holds nobody up.
    pub(crate) async fn take(&self) -> Taken<'_> {
        poll_fn(|context| {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.taken {
                if !queue.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    queue.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            queue.taken = true;
            Poll::Ready(Taken(self))
        })
        .await
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            queue.taken = false;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[test]
    fn a_cancelled_waiter_holds_nobody_up() {
        let turn = Turn::default();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = pin!(turn.take()).poll(&mut context) else { panic!("the turn is free") };
        let mut patient = pin!(turn.take());
        assert!(patient.as_mut().poll(&mut context).is_pending());
        {
            let mut impatient = pin!(turn.take());
            assert!(impatient.as_mut().poll(&mut context).is_pending());
        }
        drop(first);
        assert!(patient.as_mut().poll(&mut context).is_ready());
    }
}
