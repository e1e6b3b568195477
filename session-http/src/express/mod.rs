#![doc = include_str!("../../docs/express.md")]

mod cookie;
mod kept;
mod ledger;
mod options;
mod signed;

pub use cookie::{ExpressCookie, SameSitePolicy, SecurePolicy};
pub use options::{Express, Proxy, Unset};
pub use signed::{sign, unsign};

pub(crate) use kept::Cookie;
pub(crate) use ledger::{Action, Ledger, Occasion};
pub(crate) use signed::{Presented, read};
