#![doc = include_str!("../README.md")]

/// The page of all options, whose program is compiled here.
#[cfg(doctest)]
#[doc = include_str!("../../../session-express/docs/options.md")]
pub struct Options;
