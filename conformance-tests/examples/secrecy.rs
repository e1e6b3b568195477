//! Searches the traces of tests for what no log may hold: ids, keys and values, in every spelling.
//!
//! `cargo run -p conformance-tests --features traces --example secrecy -- FOLDER` reads what tests wrote that ran with
//! `SESSION_TEST_TRACES=FOLDER`. `scripts/secrecy` does both.

use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: secrecy FOLDER")?;
    let searched = conformance_tests::traces::search(Path::new(&folder))?;
    println!("{} secrets were looked for in {} KiB of traces", searched.secrets, searched.bytes / 1024);
    if searched.found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("and {} lines have one:", searched.found.len());
    searched.found.iter().take(20).for_each(|found| println!("{found}"));
    Ok(ExitCode::FAILURE)
}
