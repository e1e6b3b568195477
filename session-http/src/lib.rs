#![doc = include_str!("../README.md")]

mod attributes;
#[cfg(feature = "axum")]
mod axum;
mod changes;
mod commit;
mod config;
mod cookie;
mod counters;
mod decide;
mod error;
mod events;
mod extract;
mod failure;
mod finish;
mod follow;
mod format;
mod head;
mod lifetime;
mod limit;
mod load;
mod meta;
mod native;
mod progress;
mod proxy;
mod recent;
mod request;
pub mod rules;
mod running;
mod save;
mod secrets;
mod session;
mod state;
mod tell;
mod timer;
mod transport;
mod user;
mod values;
mod work;

pub use attributes::{Priority, SameSite, SecurePolicy};
#[cfg(feature = "axum")]
pub use axum::Fresh;
pub use config::{SessionConfig, Sessions};
pub use cookie::{CookiePolicy, CookiePolicyBuilder, InvalidCookie};
pub use error::Error;
pub use failure::{CommitFailure, FailurePolicy, LoadFailure, LogoutFailure, ServerErrors, UnreadableSession};
pub use format::{CookieFormat, SignedId};
pub use head::{RequestHead, SecureConnection};
pub use limit::SessionLimit;
pub use native::Native;
pub use proxy::Proxy;
pub use request::{Committing, SessionSlot, Unfinished};
pub use secrets::{InvalidSecrets, Secrets};
pub use session::Session;
pub use tell::ResponseHeaders;
pub use timer::Timer;
pub use transport::{HeaderTransport, News, Presented, Transport};
