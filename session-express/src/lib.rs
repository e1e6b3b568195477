#![doc = include_str!("../README.md")]
#![doc = include_str!("../docs/express.md")]

// An option that does nothing cannot be written.
#[cfg(doctest)]
#[doc = include_str!("../tests/refused.md")]
mod refused {}

mod attributes;
mod cookie;
mod decide;
mod json;
mod kept;
mod options;
mod proxy;
mod reserved;
mod rules;
mod session;
mod signed;
mod visit;

pub use cookie::{ExpressCookie, SameSitePolicy};
pub use options::{Express, Unset};
pub use proxy::{Proxy, SecureByProxy};
pub use rules::ExpressRules;
pub use session::ExpressSession;
pub use session_core::{Expiry, SessionId, SessionIndex, SessionStore, Sweeper, Timestamp};
pub use session_http::{
    Error, FailurePolicy, InvalidCookie, InvalidSecrets, Priority, RequestHead, SameSite, Secrets, SecureConnection,
    SecurePolicy, Session, SessionConfig, SessionSlot, Sessions,
};
pub use signed::{sign, unsign};
pub use visit::ExpressVisit;
