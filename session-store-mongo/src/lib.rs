#![doc = include_str!("../README.md")]

mod collection;
mod document;
mod error;
mod index;
mod setup;
mod store;
mod sweep;

pub use collection::InvalidCollection;
pub use error::MongoCause;
pub use store::MongoStore;
