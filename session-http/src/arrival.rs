//! What a request brings along that its session needs.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Request, Uri};
use session_core::SessionId;

use crate::express::{Express, ExpressCookie};
use crate::{CookiePolicy, SessionConfig, events, express};

/// A mark in a request's extensions: it came over HTTPS. A server that ends TLS itself puts it there, or a middleware that knows
/// which proxy to trust.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecureConnection;

/// What a request brings along, found without any I/O.
pub(crate) enum Arrival {
    /// The session is looked for when somebody asks for it.
    Native(Client),
    /// Its path is not one of the cookie's.
    Outside,
    Express(Presented),
}

/// What a request that is looked at later has to tell about its client.
#[derive(Clone, Default)]
pub(crate) struct Client {
    /// The cookie that was chosen for this request.
    pub(crate) cookie: Option<Arc<CookiePolicy>>,
    /// Kept only for transports that may look at it.
    pub(crate) uri: Option<Box<Uri>>,
    /// It is known to have come over HTTPS; looked at only if the cookie wants to know.
    pub(crate) is_secure: bool,
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
            let client = Client::of(config, request);
            return if client.is_served(config, request.uri().path()) { Self::Native(client) } else { Self::Outside };
        };
        let cookie = express.cookie_for(request);
        if cookie.serves(request.uri().path()) {
            Self::Express(Presented::of(express, cookie, request))
        } else {
            Self::Outside
        }
    }
}

impl Client {
    fn of<B>(config: &SessionConfig, request: &Request<B>) -> Self {
        let mut client = Self::default();
        if config.as_transport().is_some() {
            client.uri = Some(request.uri().clone().into());
            return client;
        }
        client.cookie = config.cookie_of.as_ref().map(|choose| choose(&head_of(request)).into());
        if config.cookie_for(&client).is_secure_by_request() {
            client.is_secure = config.proxy.sees_https(request.headers(), request.extensions());
        }
        client
    }

    /// Says whether requests for this path have a session.
    fn is_served(&self, config: &SessionConfig, path: &str) -> bool {
        !config.is_gated || config.as_transport().is_some() || config.cookie_for(self).serves(path)
    }
}

/// Copies all of a request but its body.
fn head_of<B>(request: &Request<B>) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    parts.extensions = request.extensions().clone();
    parts
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
