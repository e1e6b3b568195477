//! A store that fails, is slow, or has what cannot be read.

mod failure;
mod one_store;
mod outage;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod unreadable;
