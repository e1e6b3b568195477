//! What is counted.

mod counted;
mod counters;
mod metrics;
#[path = "../support/mod.rs"]
mod support;
