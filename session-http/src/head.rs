//! What a request's head says, borrowed.

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// The head of a request: all of it but the body, borrowed.
///
/// Layers make one when a request arrives; functions of the application that look at requests are handed one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'r> {
    /// The method; a change that had to be dropped is an error for those that change something.
    pub method: &'r Method,
    /// The address that the client asked for, before any router took a part of it away.
    pub uri: &'r Uri,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// What servers and middlewares noted, as a [`SecureConnection`].
    pub extensions: &'r Extensions,
}

/// A mark in a request's extensions: it came over HTTPS. A server that ends TLS itself puts it there, or a middleware that knows
/// which proxy to trust.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecureConnection;

impl<'r> RequestHead<'r> {
    /// Looks at a request.
    pub fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Takes another address: that of the client, where a router took a part of the path away.
    #[must_use]
    pub fn with_uri(self, uri: &'r Uri) -> Self {
        Self { uri, ..self }
    }

    /// Returns the path; `/` for an address without one, as that of a CONNECT.
    pub fn path(&self) -> &'r str {
        if self.uri.path().is_empty() { "/" } else { self.uri.path() }
    }
}
