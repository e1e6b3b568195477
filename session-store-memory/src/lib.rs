#![doc = include_str!("../README.md")]

mod expiries;
mod index;
mod key;
mod node;
mod room;
mod shard;
mod store;
#[cfg(test)]
mod tests;
mod turns;
mod usage;

pub use store::MemoryStore;
pub use usage::Usage;
