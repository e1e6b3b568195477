//! Measures the calls of the stores: `stores RESULTS [--quick] [STORE...]`.

use std::path::PathBuf;
use std::time::Duration;

use session_benches::Outcome;
use session_benches::body::Body;
use session_benches::field::{Field, field};
use session_benches::machine;
use session_benches::results::{Call, Results, Row, STORES};
use session_benches::stand::{Sample, Slice};

/// How much is measured.
struct Effort {
    sizes: &'static [usize],
    tasks: &'static [usize],
    rounds: usize,
    slice: Duration,
}

const FULL: Effort =
    Effort { sizes: &[200, 2048, 32 * 1024], tasks: &[1, 16, 64], rounds: 5, slice: Duration::from_millis(60) };
const QUICK: Effort = Effort { sizes: &[2048], tasks: &[16], rounds: 3, slice: Duration::from_millis(60) };

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    arguments.retain(|argument| argument != "--quick");
    let file = PathBuf::from(if arguments.is_empty() { "results.json".to_owned() } else { arguments.remove(0) });
    let stores = if arguments.is_empty() { STORES.map(str::to_owned).to_vec() } else { arguments };

    let mut results = Results::read(&file)?;
    machine::describe(&mut results);
    let effort = if is_quick { QUICK } else { FULL };
    let how = format!("{} rounds of {} ms for each cell", effort.rounds, effort.slice.as_millis());
    results.facts.insert("stores".to_owned(), how);
    for store in stores {
        let folder = tempfile::tempdir()?;
        let field = field(&store, folder.path()).await?;
        for &size in effort.sizes {
            measure(&store, &field, size, &effort, &mut results).await?;
            results.write(&file)?;
        }
    }
    Ok(())
}

/// Measures all contestants of a store with sessions of one size.
async fn measure(store: &str, field: &Field, size: usize, effort: &Effort, results: &mut Results) -> Outcome<()> {
    let body = Body::of_size(size);
    let is_memory = store == "memory";
    let bytes: usize = if is_memory { 8 << 20 } else { 4 << 20 };
    let count = (bytes / size).clamp(256, if is_memory { 40_000 } else { 4096 });
    for stand in &field.stands {
        stand.prepare(&body, count).await?;
    }
    for &tasks in effort.tasks {
        let most = if store.ends_with("-synced") { 256 } else { count };
        let slice = Slice {
            tasks,
            time: effort.slice,
            stride: if is_memory { 64 } else { 1 },
            most,
            server: field.server.clone(),
        };
        let mut samples: Vec<Vec<(Call, Vec<Sample>)>> =
            field.stands.iter().map(|_| Call::ALL.map(|call| (call, Vec::new())).to_vec()).collect();
        for round in 0..=effort.rounds {
            for call in [Call::Load, Call::Create, Call::Update, Call::Touch] {
                for place in 0..field.stands.len() {
                    // Who comes first changes from round to round.
                    let place = (place + round) % field.stands.len();
                    let measured = field.stands[place].run(call, &body, &slice).await?;
                    // The first round warms up: connections are made, statements are prepared.
                    for (call, sample) in measured.into_iter().filter(|_| round > 0) {
                        if let Some((_, all)) = samples[place].iter_mut().find(|(known, _)| *known == call) {
                            all.push(sample);
                        }
                    }
                }
            }
        }
        results.rows.retain(|row| (&*row.store, row.size, row.tasks) != (store, size, tasks));
        for (stand, calls) in field.stands.iter().zip(samples) {
            for (call, samples) in calls {
                results.rows.push(row(store, stand.name(), call, size, tasks, &samples));
            }
        }
        eprintln!("{store}: {size} bytes, {tasks} tasks");
    }
    Ok(())
}

fn row(store: &str, contestant: &str, call: Call, size: usize, tasks: usize, samples: &[Sample]) -> Row {
    let mut all = Sample::empty();
    samples.iter().for_each(|sample| all.add(sample));
    let calls = (all.calls + all.failures).max(1) as f64;
    let micros = |quantile: f64| all.latencies.value_at_quantile(quantile) as f64 / 1000.0;
    Row {
        store: store.to_owned(),
        contestant: contestant.to_owned(),
        call,
        size,
        tasks,
        rates: samples.iter().map(|sample| sample.calls as f64 / sample.wall.as_secs_f64().max(1e-9)).collect(),
        cpu: all.cpu.as_secs_f64() * 1e6 / calls,
        server_cpu: all.server_cpu.as_secs_f64() * 1e6 / calls,
        p50: micros(0.5),
        p99: micros(0.99),
        failures: all.failures,
    }
}
