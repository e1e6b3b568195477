#![cfg_attr(docsrs, feature(doc_cfg))]
// The programs in the README use axum.
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Sessions as a tower layer.")]

mod body;
mod layer;
mod service;
mod timer;

#[cfg(feature = "axum")]
pub use session_http::Fresh;
pub use session_http::{
    CommitFailure, CookieFormat, CookiePolicy, CookiePolicyBuilder, Error, FailurePolicy, HeaderTransport,
    InvalidCookie, InvalidSecrets, LoadFailure, LogoutFailure, Native, News, Presented, Priority, Proxy, RequestHead,
    SameSite, Secrets, SecureConnection, SecurePolicy, ServerErrors, Session, SessionConfig, SessionLimit, SessionSlot,
    Sessions, SignedId, Timer, Transport, UnreadableSession,
};

pub use body::SessionBody;
pub use layer::SessionLayer;
pub use service::{ResponseFuture, SessionService};
