#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod error;
#[cfg_attr(
    not(all(feature = "sqlite", feature = "redis")),
    allow(dead_code, reason = "what a URL can say does not depend on which stores are compiled in")
)]
mod location;
mod open;
mod opened;
mod stores;

pub use error::OpenError;
pub use open::{open, open_closable, schemes};
pub use opened::Opened;
pub use session_core as core;

#[cfg(feature = "file")]
pub use session_store_file as file;
#[cfg(feature = "memory")]
pub use session_store_memory as memory;
#[cfg(feature = "mongodb")]
pub use session_store_mongo as mongodb;
#[cfg(feature = "redis")]
pub use session_store_redis as redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use session_store_sqlx as sqlx;

/// The project's front page, whose programs are compiled here.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[allow(missing_docs, reason = "it exists for its tests only")]
pub struct FrontPage;
