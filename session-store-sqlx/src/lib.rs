// Without SQLite the README's first program has no store to open, and without any database most of the crate no caller.
#![cfg_attr(all(feature = "sqlite", feature = "postgres", feature = "mysql"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    doc = "Sessions in SQL databases: choose them by the features `sqlite`, `postgres` and `mysql`."
)]
#![cfg_attr(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")), allow(dead_code))]

mod calls;
mod connections;
mod database;
mod error;
#[cfg(feature = "sqlite")]
mod file;
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
#[cfg(feature = "sqlite")]
pub use file::{Durability, SqliteOptions, SqliteStore};
#[cfg(feature = "mysql")]
pub use server::{MySqlOptions, MySqlStore};
#[cfg(feature = "postgres")]
pub use server::{PostgresOptions, PostgresStore};
pub use server::{ServerDatabase, ServerOptions};
pub use store::SqlStore;
pub use table::InvalidTable;
