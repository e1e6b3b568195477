//! Requests that broke a session once, one by one, and random ones of one browser.

mod broken;
mod model;
#[path = "../simulation/random.rs"]
mod random;
mod random_requests;
mod refused;
mod saves;
#[path = "../support/mod.rs"]
mod support;
