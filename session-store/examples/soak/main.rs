//! Two hundred clients on one store while its servers hang, die, fill up and fail over at random, and a check of everything that the
//! store acknowledged. `scripts/soak` starts it with its servers; `docs/soak.md` holds the last report.
//!
//!     soak URL SECONDS SEED
//!
//! What is checked: no acknowledged logout is undone; no acknowledged write is lost; no call ends later than its time-out; two seconds
//! after the servers are well every call succeeds; memory, threads and connections stay flat; nothing is told as `Backend` that is over
//! when the servers are well.

mod client;
mod faults;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Client;
use faults::Faults;
use report::Report;
use session_store::core::{SessionIndex, SessionStore as _};

const CLIENTS: u64 = 200;
/// Short beside the default of five seconds, so that half an hour holds many faults.
const TIMEOUT: Duration = Duration::from_secs(2);
const RECOVERY: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, seconds, seed] = &arguments[..] else { return Err("usage: soak URL SECONDS SEED".into()) };
    let (seconds, seed): (u64, u64) = (seconds.parse()?, seed.parse()?);
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = match url.split(':').next() {
        Some("memory" | "file") => url.clone(),
        _ => format!("{url}{joint}timeout_ms={}", TIMEOUT.as_millis()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if seed == faults::NEIGHBOUR {
        return runtime.block_on(faults::be_a_neighbour(&url, seconds));
    }
    let report = Arc::new(Report::new());
    runtime.block_on(soak(&url, Duration::from_secs(seconds), seed, &report))?;
    print!("{}", report.to_markdown(seed));
    if report.is_clean() { Ok(()) } else { Err("the soak found faults".into()) }
}

async fn soak(url: &str, time: Duration, seed: u64, report: &Arc<Report>) -> Result<(), Box<dyn std::error::Error>> {
    // Two handles, as two application servers have; one where nobody else can see what a handle holds.
    let first: Arc<dyn SessionIndex> = session_store::open(url).await?;
    let second = if url.starts_with("memory:") { first.clone() } else { session_store::open(url).await? };
    let end = Instant::now() + time;
    report.watch_the_machine();

    let clients = (0..CLIENTS).map(|number| {
        let client = Client::new(number, seed, [first.clone(), second.clone()], report.clone());
        tokio::spawn(client.run(end))
    });
    let clients: Vec<_> = clients.collect();
    let sweeper = tokio::spawn({
        let (store, report) = (first.clone(), report.clone());
        async move {
            while Instant::now() < end {
                tokio::time::sleep(Duration::from_secs(3)).await;
                report.call("delete_expired", None, store.delete_expired(1000)).await;
            }
        }
    });
    let mut faults = Faults::find(url, seed)?;
    faults.run(end, report).await?;
    // Everything is well from here on. What was acknowledged must be there.
    for client in clients {
        client.await?.check().await;
    }
    sweeper.await?;
    Ok(())
}
