//! The demo as a browser meets it: the built program on a free port, and plain HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot do its own errands fails")]

mod devices;
mod forms;
mod headers;
mod login;
mod races;
mod secrecy;
mod start;
mod support;
