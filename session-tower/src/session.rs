//! The session as a service's request gives it.

use std::ops::Deref;

use http::{Extensions, HeaderMap, Request};
use session_http::SessionSlot;

use crate::Rejection;

/// The session of a request: a [`session_http::Session`], taken from a request that came through a
/// [`SessionLayer`](crate::SessionLayer).
///
/// With the feature `axum` it is an extractor. `Result<Session, Rejection>` is one too, for pages that can do without a session
/// while the store is away; what a handler takes from it is still never an empty session in place of a stored one.
#[derive(Debug, Clone)]
pub struct Session(session_http::Session);

impl Session {
    /// Loads the session that a request presents. Asked again, by anyone within the request, it is the same one.
    pub fn of<B>(request: &Request<B>) -> impl Future<Output = Result<Self, Rejection>> + Send {
        // The body is not part of the future, so it need not be `Sync`.
        Self::open(request.extensions(), request.headers())
    }

    /// Loads the session from the parts of a request.
    pub async fn open(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, Rejection> {
        let slot = extensions.get::<SessionSlot>().ok_or(Rejection::MissingLayer)?;
        Ok(Self(slot.open(headers).await?))
    }

    /// Returns the handle without the wrapper.
    pub fn into_inner(self) -> session_http::Session {
        self.0
    }
}

impl Deref for Session {
    type Target = session_http::Session;

    fn deref(&self) -> &session_http::Session {
        &self.0
    }
}
