//! What a person sees when a request is refused.

use axum::body::HttpBody as _;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::forms::BadInput;
use crate::page;

/// Why a request is refused. As a response it is a page that says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    BadInput(#[from] BadInput),
    #[error("The form could not be read.")]
    Unreadable(#[from] FormRejection),
    #[error("Only somebody who is logged in has devices. Log in first.")]
    NotLoggedIn,
    #[error("None of your sessions has this key. It may have ended already.")]
    NoSuchDevice,
    #[error("This form was sent from another site.")]
    CrossSite,
    #[error("There is nothing at this address.")]
    NotFound,
    #[error("This address does not take such a request.")]
    MethodNotAllowed,
    #[error("The session could not be read or written. Try again in a moment.")]
    Session(#[from] session_http::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadInput(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unreadable(rejection) => rejection.status(),
            Self::NotLoggedIn | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoSuchDevice | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Session(error) => error.status(),
        }
    }
}

impl From<session_core::Error> for Refusal {
    fn from(error: session_core::Error) -> Self {
        Self::Session(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Session(error) = &self {
            tracing::error!(error = error as &dyn std::error::Error, "the request failed");
        }
        written(self.status(), &self.to_string())
    }
}

/// Gives a page to a failure that has none: the session layer answers for a store that is away without a word.
pub(crate) async fn explain(response: Response) -> Response {
    let status = response.status();
    if !status.is_server_error() || !response.body().is_end_stream() {
        return response;
    }
    let mut explained =
        written(status, "The sessions cannot be reached just now. Nothing was changed. Try again in a moment.");
    let own = explained.headers().get(header::CONTENT_TYPE).cloned();
    explained.headers_mut().extend(response.headers().clone());
    explained.headers_mut().remove(header::CONTENT_LENGTH);
    explained.headers_mut().extend(own.map(|own| (header::CONTENT_TYPE, own)));
    explained
}

fn written(status: StatusCode, message: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused");
    (status, page::refusal(status.as_u16(), title, message)).into_response()
}
