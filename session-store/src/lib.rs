#![doc = include_str!("../README.md")]

mod error;
mod location;
mod open;
mod stores;

pub use error::OpenError;
pub use open::{open, schemes};
pub use session_core as core;

#[cfg(feature = "file")]
pub use session_store_file as file;
#[cfg(feature = "memory")]
pub use session_store_memory as memory;
#[cfg(feature = "sqlite")]
pub use session_store_sqlx as sqlx;

/// The project's front page, whose programs are compiled here.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[allow(missing_docs, reason = "it exists for its tests only")]
pub struct FrontPage;
