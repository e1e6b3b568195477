//! Whether a request came over HTTPS, which behind a proxy only that knows.

use crate::{RequestHead, SecureConnection};

/// Whether `X-Forwarded-Proto` is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// No: a request came over HTTPS if its extensions have a [`SecureConnection`].
    #[default]
    Ignored,
    /// Yes, its first item: only behind a proxy that always sets it.
    Trusted,
}

impl Proxy {
    /// Says whether a request came over HTTPS.
    pub fn sees_https(self, head: &RequestHead<'_>) -> bool {
        if head.extensions.get::<SecureConnection>().is_some() {
            return true;
        }
        let forwarded = head.headers.get("x-forwarded-proto").filter(|_| self == Self::Trusted);
        let first = forwarded.and_then(|value| value.as_bytes().split(|&byte| byte == b',').next());
        // Node reads the bytes as Latin-1, in which JavaScript trims one space that is not ASCII.
        let first = first.map(|proto| proto.iter().copied().map(char::from).collect::<String>());
        first.is_some_and(|proto| proto.trim_matches([' ', '\t', '\u{a0}']).eq_ignore_ascii_case("https"))
    }
}
