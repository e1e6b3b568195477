// Without SQLite the README's first program has no store to open, and without any database most of the crate no caller.
#![cfg_attr(all(feature = "sqlite", feature = "postgres", feature = "mysql"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    doc = "Sessions in SQL databases: choose them by the features `sqlite`, `postgres` and `mysql`."
)]
#![cfg_attr(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")), allow(dead_code))]

mod answer;
mod batch;
mod connections;
mod dialect;
mod driver;
mod error;
mod index;
mod link;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod row;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
mod statements;
mod store;
mod table;
#[cfg(all(test, feature = "sqlite"))]
mod tests;

pub use driver::SqlDatabase;
#[cfg(feature = "mysql")]
pub use mysql::{MySqlOptions, MySqlStore};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use server::{ServerDatabase, ServerOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteOptions, SqliteStore};
pub use store::SqlStore;
pub use table::InvalidTable;
