//! The cases, a file for every heading of the contract.

mod backlog;
mod cancel;
mod cost;
mod create;
mod data;
mod delete;
mod expiry;
mod gap;
mod given_up;
mod held;
mod history;
mod index;
mod key;
mod load;
mod namespace;
mod odd;
mod outage;
mod owner;
mod peer;
mod race;
mod recovery;
mod residue;
mod revision;
mod rotate;
mod runtime;
mod sweep;
mod touch;
mod unreadable;
mod update;

use crate::case::Case;

/// Returns every case, in the order of the contract.
pub(crate) fn all() -> Vec<Case> {
    [
        create::cases(),
        load::cases(),
        unreadable::cases(),
        update::cases(),
        revision::cases(),
        touch::cases(),
        rotate::cases(),
        delete::cases(),
        residue::cases(),
        expiry::cases(),
        sweep::cases(),
        backlog::cases(),
        data::cases(),
        key::cases(),
        namespace::cases(),
        owner::cases(),
        index::cases(),
        peer::cases(),
        race::cases(),
        history::cases(),
        cancel::cases(),
        gap::cases(),
        held::cases(),
        given_up::cases(),
        cost::cases(),
        outage::cases(),
        recovery::cases(),
        runtime::cases(),
        odd::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
