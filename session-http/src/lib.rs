#![doc = include_str!("../README.md")]

mod arrival;
mod attributes;
mod changes;
mod commit;
mod config;
mod cookie;
mod departed;
mod draft;
mod error;
mod events;
pub mod express;
mod failure;
mod format;
mod plan;
mod presented;
mod response;
mod secrets;
mod session;
mod slot;
mod state;
mod timer;
mod turn;

pub use arrival::SecureConnection;
pub use attributes::{Priority, SameSite};
pub use config::SessionConfig;
pub use cookie::{CookiePolicy, CookiePolicyBuilder, InvalidCookie};
pub use error::Error;
pub use failure::{CommitFailure, FailurePolicy, LoadFailure, LogoutFailure};
pub use format::{CookieFormat, SignedId};
pub use response::ResponseHeaders;
pub use secrets::{InvalidSecrets, Secrets};
pub use session::Session;
pub use slot::{Committing, SessionSlot};
pub use timer::Timer;
