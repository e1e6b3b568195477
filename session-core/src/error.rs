//! What can go wrong in a store, kept apart so that a caller can decide.

/// The cause of an error, kept as a value and never as text.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of a store's call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a store's call refuses with.
///
/// The kinds stay distinct on every backend: an outage is never reported as absence, and absence never as an outage.
/// A message holds no key, no data, no SQL and no address; the cause is the error's `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key is taken by a live record (`create`, and the new key of `rotate`).
    #[error("a live session is already stored under this key")]
    AlreadyExists,
    /// No live record is stored under the key (`update`, `touch`, `rotate`).
    #[error("no live session is stored under this key")]
    NotFound,
    /// The record was written since the caller loaded it (`update`, `rotate`). Load it again and try once more.
    #[error("the session was changed since it was loaded")]
    Conflict,
    /// The data is larger than the store accepts. Nothing was written; a record that was there is as it was.
    #[error("the session data has {size} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// The size of the data that was refused, in bytes.
        size: usize,
        /// The most bytes that the store accepts.
        limit: usize,
    },
    /// What is stored cannot be read as a record. It stays stored until it is deleted.
    #[error("the stored session cannot be read")]
    Corrupt(#[source] BoxError),
    /// No answer in time, connection lost, or the backend accepts no writes: worth a retry, and not absence.
    #[error("the session backend is unavailable")]
    Unavailable(#[source] BoxError),
    /// The backend refused in a way that a retry does not cure: missing rights, missing table, a bug.
    #[error("the session backend refused the call")]
    Backend(#[source] BoxError),
}

impl Error {
    /// Makes a [`Error::Corrupt`] from its cause, which may be a message.
    pub fn corrupt(cause: impl Into<BoxError>) -> Self {
        Self::Corrupt(cause.into())
    }

    /// Makes a [`Error::Unavailable`] from its cause, which may be a message.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// Makes a [`Error::Backend`] from its cause, which may be a message.
    pub fn backend(cause: impl Into<BoxError>) -> Self {
        Self::Backend(cause.into())
    }
}
