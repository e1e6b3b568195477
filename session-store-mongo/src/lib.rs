#![doc = include_str!("../README.md")]

mod collection;
mod document;
mod driver;
mod error;
mod index;
mod remove;
mod setup;
mod store;

pub use collection::InvalidCollection;
pub use error::MongoCause;
pub use store::MongoStore;
