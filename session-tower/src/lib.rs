// The program in the README uses axum.
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "axum"), doc = "Sessions as a tower layer.")]

#[cfg(feature = "axum")]
mod axum;
mod layer;
mod rejection;
mod service;
mod session;
mod timer;

pub use session_http::{
    CommitFailure, CookiePolicy, Error, FailurePolicy, HeaderTransport, InvalidCookie, InvalidSecrets, LoadFailure,
    LogoutFailure, News, Presented, Priority, Proxy, SameSite, Secrets, SecureConnection, SecurePolicy, SessionConfig,
    SessionLimit, Transport, express,
};

#[cfg(feature = "axum")]
pub use axum::Fresh;
pub use layer::SessionLayer;
pub use rejection::Rejection;
pub use service::{ResponseFuture, SessionService};
pub use session::Session;
