//! What a request brings along that its session needs.

use http::{HeaderMap, Request};
use session_core::SessionId;

use crate::express::{Express, ExpressCookie};
use crate::{SessionConfig, events, express};

/// A mark in a request's extensions: it came over HTTPS. A server that ends TLS itself puts it there, or a middleware that knows
/// which proxy to trust.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecureConnection;

/// What a request brings along, found without any I/O.
pub(crate) enum Arrival {
    /// The session is looked for when somebody asks for it.
    Lazy,
    /// Its path is not one of the cookie's.
    Outside,
    Express(Presented),
}

#[derive(Clone)]
pub(crate) struct Presented {
    pub(crate) id: Option<SessionId>,
    pub(crate) is_secure: bool,
    /// The options of the cookie, for this request.
    pub(crate) cookie: ExpressCookie,
}

impl Arrival {
    pub(crate) fn of<B>(config: &SessionConfig, request: &Request<B>) -> Self {
        let Some(express) = config.as_express() else {
            return if config.serves(request.uri().path()) { Self::Lazy } else { Self::Outside };
        };
        let cookie = express.cookie_for(request);
        if cookie.serves(request.uri().path()) {
            Self::Express(Presented::of(express, cookie, request))
        } else {
            Self::Outside
        }
    }
}

impl Presented {
    /// Knows nothing of the request but its headers.
    pub(crate) fn of_headers(express: &Express, headers: &HeaderMap) -> Self {
        let mut request = Request::new(());
        *request.headers_mut() = headers.clone();
        Self::of(express, express.cookie_for(&request), &request)
    }

    fn of<B>(express: &Express, cookie: ExpressCookie, request: &Request<B>) -> Self {
        let headers = request.headers();
        let id = match express::read(headers, &express.name, &express.secrets) {
            express::Presented::Nothing => None,
            express::Presented::Signed(id) => Some(id),
            express::Presented::Refused => {
                events::bad_signature();
                None
            }
        };
        Self { id, is_secure: express.is_secure(headers, request.extensions()), cookie }
    }
}
