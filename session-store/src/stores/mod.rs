//! How each store is opened from what its URL says.

#[cfg(feature = "file")]
pub(crate) mod file;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(feature = "mongodb")]
pub(crate) mod mongodb;
#[cfg(feature = "redis")]
pub(crate) mod redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) mod sql;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) mod sql_server;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
