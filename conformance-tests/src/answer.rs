//! What a store answers and what the model answers, as one type, to compare.

use std::fmt;

use session_core::{Record, Result, Revision, SessionKey};

use crate::check::Refusal;

/// An answer without what is the store's own: revisions are opaque.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Written,
    Loaded(Option<Record>),
    Touched,
    Deleted(bool),
    Removed(u64),
    Listed(Vec<SessionKey>),
    /// Time has passed; nobody was asked.
    Passed,
    Refused(Refusal),
}

pub(crate) fn answer<T>(real: Result<T>, read: impl FnOnce(T) -> Answer) -> Answer {
    match real {
        Ok(answer) => read(answer),
        Err(error) => Answer::Refused(Refusal::from(&error)),
    }
}

pub(crate) fn written(real: Result<Revision>) -> Answer {
    answer(real, |_| Answer::Written)
}

pub(crate) fn written_in_model(model: std::result::Result<u64, Refusal>) -> Answer {
    model.map_or_else(Answer::Refused, |_| Answer::Written)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded(Some(record)) => write!(
                f,
                "{} until {} (created {}, deadline {:?}, owner {:?})",
                record.data.as_str(),
                record.expires_at,
                record.created_at,
                record.deadline,
                record.owner
            ),
            Self::Loaded(None) => f.write_str("nothing"),
            other => write!(f, "{other:?}"),
        }
    }
}
