//! The extractors for axum.

use std::ops::Deref;
use std::time::Duration;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::{Error, Session};

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Self::open(&parts.extensions, &parts.headers).await
    }
}

/// `None` where there is no session to be had: the store is away, or there is no layer.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(Self::open(&parts.extensions, &parts.headers).await.ok())
    }
}

/// The session of a user who proved who they are within this number of seconds: an extractor for what somebody at an unlocked screen must
/// not do.
///
/// Without such a login the handler does not run, and the response is a 403; `Result<Fresh<300>, Error>` lets it ask for
/// the password instead.
///
/// ```
/// use session_http::{Error, Fresh};
///
/// async fn change_password(session: Fresh<{ 5 * 60 }>) -> Result<&'static str, Error> {
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
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let session = Session::open(&parts.extensions, &parts.headers).await?;
        session.require_fresh(Duration::from_secs(SECONDS))?;
        Ok(Self(session))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.to_response()
    }
}
