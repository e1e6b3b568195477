//! The conformance suite on SQLite: all cases in one file, each in tables of its own.

mod sqlite;

use conformance_tests::{Need, Suite};

fn main() -> std::process::ExitCode {
    Suite::new("sqlite", sqlite::open)
        .reopens()
        .spans_processes()
        .shows_raw(sqlite::raw)
        .damages(sqlite::damage)
        .shows_bytes(sqlite::bytes)
        .replaces(sqlite::replace)
        .locks_all(sqlite::lock)
        .lacks(Need::Outage, "a file has no server that stops")
        .main()
}
