//! What a person sees when a request is refused.

use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::Markup;
use session_tower::Error;

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
    #[error("{}", words(.0))]
    Session(#[from] Error),
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
        match &self {
            Self::Session(error) => of_commit(error).map(Body::from),
            _ => (self.status(), page(self.status(), &self.to_string())).into_response(),
        }
    }
}

/// The page in place of the answer of a request whose session could not be loaded or stored, with the headers that the error has.
pub(crate) fn of_commit(error: &Error) -> axum::http::Response<String> {
    if error.status().is_server_error() {
        tracing::error!(error = error as &dyn std::error::Error, "the request failed");
    }
    let mut response = error.to_response::<String>();
    *response.body_mut() = page(error.status(), words(error)).into_string();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// What a person is told about it.
fn words(error: &Error) -> &'static str {
    match error {
        Error::Ended => {
            "You logged in or out in another window while this was on its way, so nothing was changed. Look where you are, and \
             try again."
        }
        _ => "The sessions cannot be reached just now. Try again in a moment.",
    }
}

fn page(status: StatusCode, message: &str) -> Markup {
    page::refusal(status.as_u16(), status.canonical_reason().unwrap_or("Refused"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_a_page_and_asks_to_try_again() {
        let response = of_commit(&Error::Store(session_core::Error::unavailable("no answer")));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        assert!(response.headers()[header::CONTENT_TYPE].as_bytes().starts_with(b"text/html"));
        assert!(response.body().contains("cannot be reached just now"));
    }

    #[test]
    fn a_change_that_met_a_logout_is_a_page_that_says_so() {
        let response = of_commit(&Error::Ended);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert!(response.body().contains("nothing was changed"));
    }
}
