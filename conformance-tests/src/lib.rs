#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod abilities;
mod answer;
mod backend;
mod bench;
mod case;
mod cases;
mod check;
mod crowd;
mod gate;
mod history;
mod hooks;
mod imagined;
mod model;
mod plan;
mod ports;
mod process;
mod proxy;
mod random;
mod report;
mod rule;
mod run;
mod running;
mod shrink;
mod snatch;
mod space;
mod stretch;
mod suite;
mod together;
#[cfg(feature = "traces")]
pub mod traces;
mod way;
mod wire;

pub use case::Level;
pub use gate::Gate;
pub use hooks::{Damage, Need, Outage};
pub use proxy::Proxy;
pub use report::{Entry, Report, Verdict};
pub use rule::{Requirement, Rule};
pub use space::Space;
pub use suite::Suite;

/// Returns the names of all cases, in the order of the contract. Each is the name of the rule that it proves.
pub fn case_ids() -> impl Iterator<Item = &'static str> {
    cases::all().into_iter().map(|case| case.id)
}
