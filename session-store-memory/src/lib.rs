#![doc = include_str!("../README.md")]

mod index;
mod node;
mod shard;
mod store;
#[cfg(test)]
mod tests;

pub use store::MemoryStore;
