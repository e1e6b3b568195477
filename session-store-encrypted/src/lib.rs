#![doc = include_str!("../README.md")]

mod associated;
mod blinding;
mod index;
mod keys;
mod limit;
mod reencrypt;
mod seal;
mod secret;
mod store;
#[cfg(test)]
mod tests;
mod unreadable;

pub use blinding::BlindingKey;
pub use keys::{EncryptionKey, EncryptionKeys};
pub use limit::inner_limit;
pub use reencrypt::Reencryption;
pub use secret::InvalidKeys;
pub use store::EncryptedStore;
pub use unreadable::Unreadable;
