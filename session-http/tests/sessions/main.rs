//! One session: its values, its life and its end, as a handler and its browser see them.

mod after_head;
mod handle;
mod late;
mod lifecycle;
mod lifetimes;
mod looked_at;
mod many_names;
mod merged_result;
mod mistakes;
mod names_of_its_own;
mod remember;
mod saving;
#[path = "../support/mod.rs"]
mod support;
