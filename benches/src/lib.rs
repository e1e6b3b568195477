//! What the stores cost, beside the raw drivers and beside the stores of others.
//!
//! `scripts/bench` runs it all and writes `docs/performance.md`; `scripts/instructions` needs the hot paths only, and builds
//! without the feature `peers`.

pub mod allocations;
pub mod body;

#[cfg(feature = "peers")]
pub mod apps;
#[cfg(feature = "peers")]
pub mod contestant;
#[cfg(feature = "peers")]
pub mod cpu;
#[cfg(feature = "peers")]
pub mod field;
#[cfg(feature = "peers")]
pub mod machine;
#[cfg(feature = "peers")]
pub mod network;
#[cfg(feature = "peers")]
pub mod ours;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod process;
#[cfg(feature = "peers")]
pub mod raw;
pub mod report;
pub mod results;
#[cfg(feature = "peers")]
pub mod scale;
#[cfg(feature = "peers")]
pub mod stand;

/// An answer of a store, whoever's it is.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
