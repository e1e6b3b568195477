//! The conformance suite on the memory store.

use conformance_tests::{Need, Space, Suite};
use session_store_memory::MemoryStore;

fn main() -> std::process::ExitCode {
    Suite::new("memory", |space: Space| async move { Ok(MemoryStore::new().with_clock(space.clock())) })
        .shares()
        .lacks(Need::Damage, "a record in memory is a value, there is no stored form to damage")
        .main()
}
