#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod middleware;
mod timer;

pub use session_http::{
    CommitFailure, CookieFormat, CookiePolicy, CookiePolicyBuilder, Error, FailurePolicy, Fresh, HeaderTransport,
    InvalidCookie, InvalidSecrets, LoadFailure, LogoutFailure, Native, News, Presented, Priority, Proxy, RequestHead,
    SameSite, Secrets, SecureConnection, SecurePolicy, ServerErrors, Session, SessionConfig, SessionLimit, SessionSlot,
    Sessions, SignedId, Timer, Transport, UnreadableSession,
};

pub use middleware::{SessionMiddleware, SessionService};
