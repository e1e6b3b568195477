//! What a request brings along that its session needs.

use http::{Extensions, HeaderMap, Request};
use session_core::SessionId;

use crate::express::Express;
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
}

impl Arrival {
    pub(crate) fn of<B>(config: &SessionConfig, request: &Request<B>) -> Self {
        let Some(express) = config.as_express() else {
            return if config.serves(request.uri().path()) { Self::Lazy } else { Self::Outside };
        };
        if express.serves(request.uri().path()) {
            Self::Express(Presented::of(express, request.headers(), request.extensions()))
        } else {
            Self::Outside
        }
    }
}

impl Presented {
    pub(crate) fn of(express: &Express, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let id = match express::read(headers, &express.name, &express.secrets) {
            express::Presented::Nothing => None,
            express::Presented::Signed(id) => Some(id),
            express::Presented::Refused => {
                events::bad_signature();
                None
            }
        };
        Self { id, is_secure: express.is_secure(headers, extensions) }
    }
}
