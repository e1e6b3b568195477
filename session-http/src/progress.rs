//! How far a request is.

use std::sync::atomic::{AtomicU8, Ordering};

/// How far a request is. A commit asks it too, at each attempt.
#[derive(Default)]
pub(crate) struct Progress(AtomicU8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The handler is at work.
    Handling,
    /// It has answered: what it wants is done, whoever waits for it.
    Committing,
    /// The client has left meanwhile.
    Finishing,
    /// The response has been sent, or there is none: no cookie can be told.
    Answered,
}

impl Progress {
    const STEPS: [Step; 4] = [Step::Handling, Step::Committing, Step::Finishing, Step::Answered];

    pub(crate) fn step(&self) -> Step {
        Self::STEPS[usize::from(self.0.load(Ordering::Acquire)) % 4]
    }

    /// Goes on to a later step, and returns the one before.
    pub(crate) fn go_on(&self, step: Step) -> Step {
        let before = self.0.fetch_max(step as u8, Ordering::AcqRel);
        Self::STEPS[usize::from(before) % 4]
    }

    /// Says whether the client can still be told a new id; one who has left finds the session of a login by the next one.
    pub(crate) fn can_tell(&self, is_found_by_login: bool) -> bool {
        match self.step() {
            Step::Handling | Step::Committing => true,
            Step::Finishing => is_found_by_login,
            Step::Answered => false,
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.step(), Step::Finishing | Step::Answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_on_and_never_back() {
        let progress = Progress::default();
        assert_eq!(progress.step(), Step::Handling);
        for (step, can_tell) in [(Step::Committing, true), (Step::Finishing, false), (Step::Answered, false)] {
            progress.go_on(step);
            assert_eq!((progress.step(), progress.can_tell(false)), (step, can_tell));
        }
        assert_eq!(progress.go_on(Step::Committing), Step::Answered);
        assert_eq!(progress.step(), Step::Answered);
    }
}
