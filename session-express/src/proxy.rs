//! Whether a request came over HTTPS, which behind a proxy only that knows.

use session_http::{RequestHead, SecureConnection};

/// Who is believed that a request came over HTTPS, when it did not end its TLS here: the option `proxy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// What a middleware says that decided it, by a [`SecureByProxy`]: `proxy: undefined`, where Express asks the application's `trust proxy`.
    #[default]
    Middleware,
    /// Nobody: `proxy: false`.
    Refused,
    /// The first item of `X-Forwarded-Proto`: `proxy: true`, only behind a proxy that always sets it.
    Trusted,
}

/// A mark in a request's extensions: a proxy which the application trusts says that it came over HTTPS, as `req.secure` does in Express.
///
/// Whatever ends TLS itself puts a [`SecureConnection`] there, which counts under every [`Proxy`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecureByProxy;

impl Proxy {
    pub(crate) fn sees_https(self, head: &RequestHead<'_>) -> bool {
        match self {
            _ if head.extensions.get::<SecureConnection>().is_some() => true,
            Self::Middleware => head.extensions.get::<SecureByProxy>().is_some(),
            Self::Refused => false,
            Self::Trusted => session_http::Proxy::Trusted.sees_https(head),
        }
    }
}
