//! What a person sees when a request is refused.

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

/// Gives a page to a failure that has none: the session layer answers for a store that is away without a word,
/// and so without a content type.
pub(crate) async fn explain(response: Response) -> Response {
    let status = response.status();
    if !status.is_server_error() || response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let message = "The sessions cannot be reached just now. Try again in a moment.";
    let (mut explained, body) = written(status, message).into_parts();
    let (told, _) = response.into_parts();
    for (name, value) in told.headers.iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        explained.headers.insert(name, value.clone());
    }
    Response::from_parts(explained, body)
}

fn written(status: StatusCode, message: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused");
    (status, page::refusal(status.as_u16(), title, message)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), 100_000).await.expect("the body is in memory");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[tokio::test]
    async fn an_outage_without_words_gets_a_page_and_keeps_its_headers() {
        let outage = session_http::Error::Store(session_core::Error::unavailable("no answer"));
        let response = explain(outage.to_response::<Body>()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        assert!(response.headers()[header::CONTENT_TYPE].as_bytes().starts_with(b"text/html"));
        assert!(text(response).await.contains("cannot be reached just now"));
    }

    #[tokio::test]
    async fn what_has_words_keeps_them() {
        let response = explain((StatusCode::BAD_GATEWAY, "words").into_response()).await;
        assert_eq!(text(response).await, "words");
        let response = explain(StatusCode::NO_CONTENT.into_response()).await;
        assert_eq!(text(response).await, "");
    }
}
