// Without SQLite the README's first program has no store to open, and without any database most of the crate no caller.
#![cfg_attr(all(feature = "sqlite", feature = "postgres", feature = "mysql"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    doc = "Sessions in SQL databases: choose them by the features `sqlite`, `postgres` and `mysql`."
)]
#![cfg_attr(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")), allow(dead_code))]

mod calls;
mod database;
mod error;
mod layout;
#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
mod server;
mod setup;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod table;
#[cfg(all(test, feature = "sqlite"))]
mod tests;
mod way;
#[cfg(feature = "sqlite")]
mod writer;

pub use database::SqlDatabase;
#[cfg(feature = "mysql")]
pub use server::{MySqlOptions, MySqlStore};
#[cfg(feature = "postgres")]
pub use server::{PostgresOptions, PostgresStore};
pub use server::{ServerDatabase, ServerOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};
pub use store::SqlStore;
pub use table::InvalidTable;
