// Without a database the README's program has no store to open, and most of the crate no caller.
#![cfg_attr(feature = "sqlite", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "sqlite"), doc = "Sessions in SQL databases: choose one by its feature, `sqlite`.")]
#![cfg_attr(not(feature = "sqlite"), allow(dead_code))]

mod batch;
mod dialect;
mod driver;
mod error;
mod index;
mod queue;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
mod store;
mod table;
#[cfg(all(test, feature = "sqlite"))]
mod tests;

pub use driver::SqlDatabase;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};
pub use store::SqlStore;
pub use table::InvalidTable;
