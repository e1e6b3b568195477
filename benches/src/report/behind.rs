//! The calls at which a peer is ahead of ours, and what ours does more there.

use super::stores::{best_peer, of_raw};
use crate::results::{Call, OURS, Results};

/// Says whether a peer's calls are faster than ours.
pub fn is_behind(results: &Results, store: &str, call: Call, size: usize, tasks: usize) -> bool {
    let ours = of_raw(results, store, OURS, call, size, tasks).map_or(0.0, |(ratio, _)| ratio);
    best_peer(results, store, call, size, tasks).is_some_and(|(peer, _)| peer > ours)
}

/// Returns what a call of ours does that those of the peers leave out, where that is what it costs.
pub fn does_more(store: &str, call: Call) -> Option<&'static str> {
    Some(match (store.trim_end_matches("-synced"), call) {
        ("file", Call::Update) => {
            "compares the revision, under a lock that other processes respect, and renames a whole file into its place"
        }
        ("file", Call::Delete) => {
            "says whether the session was live, and removes its entries from the index, under a lock that other processes respect"
        }
        ("redis", Call::Load) => "compares the checksum of the data",
        ("redis", Call::Create) => {
            "refuses a key that is taken, files the session among all and its owner's, and cleans up behind others"
        }
        ("redis", Call::Update) => "compares revision and expiry",
        ("redis", Call::Touch) => "compares the expiry by the store's clock, and never moves it back",
        ("redis", Call::Delete) => "says whether the session was live, and takes it out of the index",
        ("mongo", Call::Load) => {
            "goes by a key that a rotation can change in one write, and not by the `_id`, and checks all of the text"
        }
        ("mongo", Call::Create) => "refuses a key that is taken, and writes two indexes more",
        ("mongo", Call::Update) => "compares revision and expiry, by a key that is not the `_id`",
        ("mongo", Call::Touch) => "compares the expiry and never moves it back, by a key that is not the `_id`",
        ("mongo", Call::Delete) => "says whether the session was live, and writes two indexes more",
        ("sqlite" | "postgres" | "mariadb", Call::Create) => {
            "refuses a key that is taken, and writes the indexes of owners and sweeps"
        }
        ("sqlite" | "postgres" | "mariadb", Call::Delete) => {
            "says whether the session was live, and writes the indexes of owners and sweeps"
        }
        _ => return None,
    })
}
