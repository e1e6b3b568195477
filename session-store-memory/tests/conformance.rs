//! The conformance suite on the memory store; the handles of a space are clones of one store.

use std::collections::BTreeMap;
use std::sync::Mutex;

use conformance_tests::{Need, Space, Suite};
use session_store_memory::MemoryStore;

static STORES: Mutex<BTreeMap<String, MemoryStore>> = Mutex::new(BTreeMap::new());

fn store(space: &Space) -> MemoryStore {
    let open = || MemoryStore::new().with_clock(space.clock());
    STORES.lock().expect("no test panics with it").entry(space.namespace().into()).or_insert_with(open).clone()
}

fn main() -> std::process::ExitCode {
    Suite::new("memory", |space: Space| async move { Ok(store(&space)) })
        .reopens()
        .shows_raw(|space: Space| async move { Ok(vec![format!("{:?}", store(&space).usage())]) })
        .lacks(Need::Damage, "a record in memory is a value, there is no stored form to damage")
        .lacks(Need::Processes, "the memory of a process ends with it, and no other sees it")
        .main()
}
