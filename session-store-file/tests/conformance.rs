//! The conformance suite on the file store.

mod folder;

use conformance_tests::{Need, Suite};

fn main() -> std::process::ExitCode {
    folder::remove_those_of_earlier_runs();
    Suite::new("file", folder::open)
        .reopens()
        .spans_processes()
        .shows_raw(folder::files)
        .shows_bytes(folder::bytes)
        .locks(folder::lock)
        .replaces(folder::replace)
        .damages(folder::damage)
        .survives_outage(folder::outage)
        .lacks(Need::Full, "tests/full.rs mounts a disk of its own and fills it")
        .lacks(Need::RoundTrips, "there is no server: a call is one hop to a thread that may block")
        .main()
}
