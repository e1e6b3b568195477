#![doc = include_str!("../README.md")]

#[cfg(feature = "cluster")]
mod ending;
mod error;
mod index;
mod keys;
mod link;
mod open;
mod part;
mod payload;
mod script;
mod server;
#[cfg(feature = "cluster")]
mod steps;
mod store;
mod text;

pub use keys::InvalidPrefix;
pub use open::InvalidUrl;
pub use store::RedisStore;
