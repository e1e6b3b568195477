//! The conformance suite on a backend of one's own.

use conformance_tests::{Need, Space, Suite};
use own_backend::MapStore;

fn main() -> std::process::ExitCode {
    Suite::new("own-backend", |space: Space| async move { Ok(MapStore::default().with_clock(space.clock())) })
        .shares()
        .lacks(Need::Damage, "a record in memory is a value, there is no stored form to damage")
        .waives("SWEEP-04", "the map is sorted by key, so that a sweep looks at every record")
        .main()
}
