#![doc = include_str!("../../docs/express.md")]

mod attributes;
mod cookie;
mod json;
mod kept;
mod ledger;
mod options;
mod own;
mod reserved;
mod signed;

pub use cookie::{ExpressCookie, SameSitePolicy};
pub use options::{Express, Unset};
pub use signed::{sign, unsign};

pub(crate) use ledger::{Action, Ledger, Occasion};
pub(crate) use reserved::{Taken, is_reserved, take_in};
pub(crate) use signed::{Presented, read};
