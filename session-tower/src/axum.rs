//! The extractors for axum.

use std::ops::Deref;
use std::time::Duration;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::{Rejection, Session};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        Self::open(&parts.extensions, &parts.headers).await
    }
}

/// The session of a user who proved who they are within this number of seconds: an extractor for what somebody at an unlocked screen must
/// not do.
///
/// Without such a login the handler does not run, and the response is a 403; `Result<Fresh<300>, Rejection>` lets it ask for
/// the password instead.
///
/// ```
/// use session_tower::{Fresh, Rejection};
///
/// async fn change_password(session: Fresh<{ 5 * 60 }>) -> Result<&'static str, Rejection> {
///     session.end_other_sessions().await?;
///     Ok("changed")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Fresh<const SECONDS: u64>(Session);

impl<const SECONDS: u64> Fresh<SECONDS> {
    /// Returns the session without the wrapper.
    pub fn into_inner(self) -> Session {
        self.0
    }
}

impl<const SECONDS: u64> Deref for Fresh<SECONDS> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<S: Send + Sync, const SECONDS: u64> FromRequestParts<S> for Fresh<SECONDS> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let session = Session::open(&parts.extensions, &parts.headers).await?;
        session.require_fresh(Duration::from_secs(SECONDS))?;
        Ok(Self(session))
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.to_response()
    }
}
