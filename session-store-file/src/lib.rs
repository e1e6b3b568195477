#![doc = include_str!("../README.md")]

mod calls;
mod crc;
mod disk;
mod durability;
mod end;
mod entries;
mod error;
mod files;
mod format;
mod index;
mod layout;
mod lock;
mod name;
mod rotate;
mod setup;
mod store;
mod sweep;

pub use durability::Durability;
pub use store::FileStore;
