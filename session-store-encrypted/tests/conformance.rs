//! The conformance suite on encryption around SQLite.

mod sqlite;

use conformance_tests::{Need, Suite};

fn main() -> std::process::ExitCode {
    Suite::new("encrypted", sqlite::open)
        .reopens()
        .spans_processes()
        .shows_raw(sqlite::raw)
        .damages(sqlite::damage)
        .formats_data()
        .lacks(Need::Outage, "a file has no server that stops")
        .main()
}
