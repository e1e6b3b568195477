//! A clock that goes on between two readings, as the system's does.

use std::sync::Mutex;
use std::time::Duration;

use session_core::{Clock, Timestamp};

/// Goes on by so much with every reading.
#[derive(Debug)]
pub(crate) struct TickingClock {
    now: Mutex<Timestamp>,
    step: Duration,
}

impl TickingClock {
    pub(crate) fn new(now: Timestamp, step: Duration) -> Self {
        Self { now: Mutex::new(now), step }
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        let mut now = self.now.lock().expect("no test panics under this lock");
        *now = now.saturating_add(self.step);
        *now
    }
}
