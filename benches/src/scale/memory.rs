//! The memory that a session takes, in the stores that keep them there.

use std::hint::black_box;

use super::grouped;
use crate::body::Body;
use crate::contestant::Contestant;
use crate::ours::Ours;
use crate::peers::saysion::Saysion;
use crate::peers::tower_sessions::{Version14, Version15};
use crate::results::Results;
use crate::{Outcome, allocations, raw};

/// Fills each store with so many sessions of 200 bytes, one after the other.
pub async fn measure(results: &mut Results, count: u64) -> Outcome<()> {
    let body = Body::of_size(200);
    let ours = Ours(std::sync::Arc::new(session_store_memory::MemoryStore::new()));
    fill(results, "raw map", raw::memory::Memory::new(true), &body, count).await?;
    fill(results, "ours", ours, &body, count).await?;
    fill(results, "tower-sessions", Version15(tower_sessions::MemoryStore::default()), &body, count).await?;
    fill(results, "tower-sessions-moka", Version14(tower_sessions_moka_store::MokaStore::new(None)), &body, count)
        .await?;
    fill(results, "saysion", Saysion(saysion::MemoryStore::new()), &body, count).await
}

async fn fill(results: &mut Results, name: &str, store: impl Contestant, body: &Body, count: u64) -> Outcome<()> {
    let before = allocations::in_use();
    for _ in 0..count {
        // Shares its text with nobody, as what comes out of a request does.
        black_box(store.create(&body.unshared()).await?);
    }
    let each = (allocations::in_use() - before) as f64 / count as f64;
    let text = body.text.len();
    let table = format!("Memory of a session, {} of {text} bytes", grouped(count));
    results.add(&table, name, "bytes", format!("{each:.0}"));
    results.add(&table, name, "more than the text", format!("{:.0}", each - text as f64));
    results.add(&table, name, "× text", format!("{:.1}", each / text as f64));
    Ok(())
}
