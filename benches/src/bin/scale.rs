//! Measures what grows: `scale RESULTS [--quick] [PART...]`.

use std::path::PathBuf;

use session_benches::allocations::Counting;
use session_benches::results::Results;
use session_benches::{Outcome, machine, scale};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PARTS: [&str; 5] = ["memory", "sweep", "postgres", "writers", "growth"];

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    arguments.retain(|argument| argument != "--quick");
    let file = PathBuf::from(if arguments.is_empty() { "results.json".to_owned() } else { arguments.remove(0) });
    let parts = if arguments.is_empty() { PARTS.map(str::to_owned).to_vec() } else { arguments };

    let mut results = Results::read(&file)?;
    machine::describe(&mut results);
    for part in parts {
        eprintln!("scale: {part}");
        match &*part {
            "memory" => scale::memory::measure(&mut results, if is_quick { 50_000 } else { 1_000_000 }).await?,
            "sweep" => scale::sweep::measure(&mut results, if is_quick { 50_000 } else { 1_000_000 }).await?,
            "postgres" => {
                let (rows, touches) = if is_quick { (5_000, 20_000) } else { (100_000, 1_000_000) };
                scale::postgres::measure(&mut results, rows, touches).await?;
            }
            "writers" => scale::writers::measure(&mut results, if is_quick { 1 } else { 5 }).await?,
            "growth" => scale::growth::measure(&mut results, if is_quick { 10_000 } else { 1_000_000 }).await?,
            _ => return Err(format!("there is no part {part}; there are {}", PARTS.join(", ")).into()),
        }
        results.write(&file)?;
    }
    Ok(())
}
