//! What a request presents and what a response tells.

mod ages_told;
mod cookie_choice;
mod cookie_policies;
mod cookie_properties;
mod cookies;
mod cookies_of_hosts;
mod jar;
mod odd_formats;
mod options;
mod several_cookies;
mod shared_caches;
#[path = "../support/mod.rs"]
mod support;
mod ticking;
mod transports;
