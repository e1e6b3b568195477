//! Requests of one session at once, in every order, and sessions that end meanwhile.

mod concurrency;
mod dropped_changes;
mod elsewhere;
mod in_flight;
mod merging;
mod rotations;
mod stress;
#[path = "../support/mod.rs"]
mod support;
mod tabs;
