#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "core-0-14", feature = "core-0-15")))]
compile_error!(
    "session-tower-sessions needs one of its features: `core-0-14` (tower-sessions 0.14, axum-login 0.18) or `core-0-15` (tower-sessions 0.15)"
);

mod loaded;
mod owner;
mod store;
mod versions;

pub use owner::axum_login;
pub use store::TowerSessionsStore;
