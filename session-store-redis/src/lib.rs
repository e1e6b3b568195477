#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod ask;
mod connection;
mod error;
mod index;
mod names;
mod open;
mod part;
mod record;
#[cfg(feature = "cluster")]
mod rotation;
mod script;
#[cfg(feature = "sentinel")]
mod sentinel;
mod setup;
mod store;

pub use names::InvalidPrefix;
pub use open::InvalidUrl;
pub use store::RedisStore;
