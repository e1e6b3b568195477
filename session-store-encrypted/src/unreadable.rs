//! Why a stored record does not open.

/// Why a stored record does not open: the cause of an [`Error::Corrupt`](session_core::Error::Corrupt).
///
/// It holds nothing of the record. That a key is unknown is a mistake in the configuration more often than an attack.
///
/// ```
/// use session_core::Error;
/// use session_store_encrypted::Unreadable;
///
/// fn is_key_missing(error: &Error) -> bool {
///     matches!(error, Error::Corrupt(cause) if cause.downcast_ref() == Some(&Unreadable::UnknownKey))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The record is not encrypted.
    #[error("the stored session is not encrypted")]
    Plaintext,
    /// The record is encrypted in a form that this version does not know.
    #[error("the stored session is encrypted in an unknown format")]
    UnknownFormat,
    /// The record names a key that is not in the list.
    #[error("the stored session is encrypted with a key that is not in the list")]
    UnknownKey,
    /// What surrounds the encrypted part is damaged.
    #[error("the encrypted session is malformed")]
    Malformed,
    /// The record was changed, or stands under a key, an owner or in a namespace where it was not written.
    #[error("the encrypted session was changed, or moved from where it was written")]
    NotAuthentic,
}
