//! The extractors for actix-web, and what of a request is of other types there: those of the crate `http` before its version 1.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError};
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::{Error, Fresh, Session, SessionSlot};

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

/// Copies headers, in their order within each name.
///
/// What no header can hold is not there in either.
pub fn headers(actix: &actix_web::http::header::HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(actix.len());
    for (name, value) in actix {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    headers
}

/// Makes a response of actix-web of another: a refusal, or an error's.
pub fn response(response: Response<String>) -> HttpResponse {
    use actix_web::http::StatusCode;
    // Both have the numbers from 100 to 999.
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut actix = HttpResponse::build(status);
    for (name, value) in response.headers() {
        actix.append_header((name.as_str(), value.as_bytes()));
    }
    actix.body(response.into_body())
}

/// Loads the session that a request presents, which came through a middleware of this toolkit. An `Option<Session>` is `None` where there is no session to
/// be had: the store is away, or there is no middleware.
impl FromRequest for Session {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let slot = request.extensions().get::<SessionSlot>().cloned();
        let headers = if slot.as_ref().is_some_and(|slot| slot.session().is_none()) {
            headers(request.headers())
        } else {
            HeaderMap::new()
        };
        Box::pin(async move { slot.ok_or(Error::MissingLayer)?.open(&headers).await })
    }
}

impl<const SECONDS: u64> FromRequest for Fresh<SECONDS> {
    type Error = Error;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let opening = Session::from_request(request, payload);
        Box::pin(async move { Fresh::of(opening.await?) })
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> actix_web::http::StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        response(self.to_response())
    }
}
