#![doc = include_str!("../README.md")]

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
