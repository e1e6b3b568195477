//! Why a handler got no session.

use http::{Response, StatusCode};

/// Why a handler got no session, or could not use it; a response for the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No [`SessionLayer`](crate::SessionLayer) is around the service.
    #[error("the service is not wrapped in a session layer")]
    MissingLayer,
    /// The session could not be loaded, read or written.
    #[error(transparent)]
    Session(#[from] session_http::Error),
}

impl Rejection {
    /// Makes the response that tells the client: 503 with `Retry-After` for an outage, 403 for what the user may not,
    /// 500 for what the program did wrong.
    pub fn to_response<B: Default>(&self) -> Response<B> {
        match self {
            Self::Session(error) => error.to_response(),
            Self::MissingLayer => {
                let mut response = Response::new(B::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
