#![doc = include_str!("../README.md")]

mod index;
mod node;
mod shard;
mod store;
#[cfg(test)]
mod tests;
mod usage;

pub use store::MemoryStore;
pub use usage::Usage;
