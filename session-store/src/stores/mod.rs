//! How each store is opened from what its URL says.

#[cfg(feature = "file")]
pub(crate) mod file;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
