//! Why a URL does not open a store.

use session_core::{BoxError, Error, LayoutError};

/// Why a URL does not open a store, with what to do about it.
///
/// No message shows the URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The text has no scheme.
    #[error("the store is not given as a url, such as `memory:` or `sqlite:sessions.db`")]
    NoScheme,
    /// Nobody knows the scheme.
    #[error("there is no store for `{scheme}:`; there are {known}")]
    UnknownScheme {
        /// The scheme that was given.
        scheme: String,
        /// The schemes that exist, compiled in or not.
        known: String,
    },
    /// The store exists, and is not compiled in.
    #[error("the store for `{scheme}:` is not compiled in; add the feature `{feature}` of the package session-store")]
    NotCompiledIn {
        /// The scheme that was given.
        scheme: String,
        /// The Cargo feature that brings the store.
        feature: &'static str,
    },
    /// Neither the facade nor the store knows a parameter.
    #[error("the store does not know the parameter `{0}`")]
    UnknownParameter(String),
    /// A parameter has a value that it cannot have.
    #[error("the parameter `{name}` must be {wanted}")]
    Parameter {
        /// The name of the parameter.
        name: String,
        /// What it can be.
        wanted: &'static str,
    },
    /// The URL has a `#`, which ends a URL, and nothing is done with what comes after it.
    #[error("the url has a `#`; if it belongs to a name or password, write it as %23")]
    Fragment,
    /// A character of the user, the password or a parameter has a meaning of its own in a URL.
    #[error(
        "the url cannot be taken apart; in a user, password or parameter write `?` as %3F, `/` as %2F, `@` as %40, `&` as %26 \
         and % as %25 (percent-encoding)"
    )]
    Unencoded,
    /// The URL must name a file or folder.
    #[error("the url names no file or folder; write it after the colon")]
    NoPath,
    /// The URL has percent signs that do not stand for text.
    #[error("a percent sign in the url does not stand for text")]
    Encoding,
    /// The namespace, or the schema, cannot be one for this store.
    #[error("the namespace cannot be used with this store")]
    Namespace(#[source] BoxError),
    /// The driver does not accept the rest of the URL.
    #[error("the url is not one of this database")]
    Url(#[source] BoxError),
    /// The store's account may not make what is missing.
    #[error(
        "the store cannot be set up by this account; let one that may create tables open it once, and say `setup=verify` or \
         `setup=off` here"
    )]
    NotAllowed(#[source] Error),
    /// The store could not be opened or set up.
    #[error("the store cannot be opened")]
    Store(#[source] Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error.layout() {
            Some(LayoutError::NotAllowed) => Self::NotAllowed(error),
            _ => Self::Store(error),
        }
    }
}
