//! Measures the HTTP side: `http RESULTS [--quick]`.
//!
//! First in this process, without a network: time and allocations for each request. Then over HTTP: every server on the first
//! core and one at a time under load, the load generator `wrk` on the second, Redis beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use session_benches::allocations::Counting;
use session_benches::results::Results;
use session_benches::{Outcome, machine, network, process};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let file =
        PathBuf::from(arguments.iter().find(|argument| !argument.starts_with('-')).map_or("results.json", |file| file));
    let mut results = Results::read(&file)?;
    machine::describe(&mut results);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(process::measure(&mut results, if is_quick { 5 } else { 25 }))?;
    results.write(&file)?;

    let (rounds, time) = if is_quick { (1, 1) } else { (3, 2) };
    let redis = session_benches::field::url("redis").ok();
    let serve = std::env::current_exe()?.with_file_name("serve");
    for redis in std::iter::once(None).chain(redis.as_deref().map(Some)) {
        network::measure(&mut results, &serve, Path::new("benches/node"), redis, rounds, Duration::from_secs(time))?;
        results.write(&file)?;
    }
    Ok(())
}
