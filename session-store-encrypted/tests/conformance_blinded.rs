//! The conformance suite on encryption around SQLite, with blinded owners.

mod sqlite;

use conformance_tests::{Need, Space, Suite};
use session_store_encrypted::BlindingKey;

fn main() -> std::process::ExitCode {
    let open = |space: Space| async { Ok(sqlite::open(space).await?.with_blinded_owners(BlindingKey::new(&[9; 32])?)) };
    Suite::new("encrypted-blinded", open)
        .reopens()
        .spans_processes()
        .shows_raw(sqlite::raw)
        .damages(sqlite::damage)
        .formats_data()
        .lacks(Need::Outage, "a file has no server that stops")
        .main()
}
