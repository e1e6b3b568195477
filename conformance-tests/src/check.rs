//! What a case says when a store is wrong: what happened, and where the case looked.

use std::fmt;
use std::panic::Location;

use session_core::{BoxError, Error, Result};

/// The outcome of a case.
pub(crate) type Outcome = std::result::Result<(), Failure>;

/// Why a case failed: what happened, in a sentence, and the line of the case that saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    location: &'static Location<'static>,
}

impl Failure {
    /// Makes a failure that points at the caller's line.
    #[track_caller]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), location: Location::caller() }
    }

    /// Returns the failure with another message and the same place.
    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    seen at: {}:{}", self.message, self.location.file(), self.location.line())
    }
}

impl From<Error> for Failure {
    /// A call that the case needs was refused.
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!("a call that had to succeed was refused: {}", describe(&error)))
    }
}

impl From<BoxError> for Failure {
    /// The harness itself failed: the factory or a hook.
    #[track_caller]
    fn from(error: BoxError) -> Self {
        Self::new(format!("the harness failed: {}", describe(&*error)))
    }
}

/// Writes an error with its causes.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The kinds of refusal, without their causes, to compare by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    AlreadyExists,
    NotFound,
    Conflict,
    TooLarge,
    Corrupt,
    Unavailable,
    Backend,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        match error {
            Error::AlreadyExists => Self::AlreadyExists,
            Error::NotFound => Self::NotFound,
            Error::Conflict => Self::Conflict,
            Error::TooLarge { .. } => Self::TooLarge,
            Error::Corrupt(_) => Self::Corrupt,
            Error::Unavailable(_) => Self::Unavailable,
            // The enum is open: a kind that the suite does not know is like a refusal of the backend.
            _ => Self::Backend,
        }
    }
}

/// Fails unless `seen` is `wanted`.
#[track_caller]
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Outcome {
    if seen == wanted { Ok(()) } else { Err(Failure::new(format!("{what}: {seen:?}, and not {wanted:?}"))) }
}

/// Fails unless `holds`.
#[track_caller]
pub(crate) fn that(holds: bool, otherwise: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(Failure::new(otherwise)) }
}

/// Fails unless the call was refused in the wanted way.
#[track_caller]
pub(crate) fn refused<T: fmt::Debug>(what: &str, answer: Result<T>, wanted: Refusal) -> Outcome {
    #[cfg(feature = "traces")]
    answer.as_ref().err().into_iter().for_each(crate::traces::refused);
    match answer {
        Ok(answer) => {
            Err(Failure::new(format!("{what}: succeeded with {answer:?}, and was not refused with {wanted:?}")))
        }
        Err(error) if Refusal::from(&error) == wanted => Ok(()),
        Err(error) => {
            Err(Failure::new(format!("{what}: refused with «{}», and not with {wanted:?}", describe(&error))))
        }
    }
}
