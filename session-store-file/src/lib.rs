#![doc = include_str!("../README.md")]

mod calls;
mod files;
mod hints;
mod layout;
mod listing;
mod locks;
mod record;
mod rotate;
mod setup;
mod store;

pub use store::{Durability, FileStore};
