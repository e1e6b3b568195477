//! Two that do the same work, in turns.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_core::{BoxError, Clock, Data, Record, SystemClock};

const ROUNDS: usize = 7;
const HOUR: Duration = Duration::from_secs(3600);

/// Someone who keeps sessions. Keys are numbers, so that both have the same ones.
#[async_trait]
pub(crate) trait Contestant: Clone + Send + Sync + 'static {
    async fn create(&self, key: u64, record: &Record) -> Result<(), BoxError>;
    async fn load(&self, key: u64) -> Result<(), BoxError>;
    /// Writes the record that it created, if nobody else has written it since.
    async fn update(&self, key: u64, record: &Record) -> Result<(), BoxError>;
    async fn touch(&self, key: u64, record: &Record) -> Result<(), BoxError>;
    async fn delete(&self, key: u64) -> Result<(), BoxError>;
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Create,
    Load,
    Update,
    Touch,
    Delete,
}

/// Calls in a second, and the processor's time of one.
type Figure = (f64, f64);
/// What the store did, and what the driver did.
type Pair = [Figure; 2];

const CALLS: [Call; 5] = [Call::Create, Call::Load, Call::Update, Call::Touch, Call::Delete];

/// The name that a key has for both.
pub(crate) fn key(number: u64) -> String {
    // Spread like a digest, and of its length.
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
}

fn record(size: usize) -> Result<Record, BoxError> {
    let now = SystemClock.now();
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(size.saturating_sub(11)));
    Ok(Record::new(Data::parse(data)?, now, now.saturating_add(HOUR)))
}

/// Prints a row for each call and number of tasks; a figure comes from so many `calls`.
pub(crate) async fn compare<A: Contestant, B: Contestant>(
    store: &A,
    driver: &B,
    size: usize,
    tasks: &[usize],
    calls: usize,
) -> Result<(), BoxError> {
    println!("| {size} bytes | tasks | store, calls in a second | driver | ratio | processor time, ratio |");
    println!("|---|---|---|---|---|---|");
    for &tasks in tasks {
        let mut rounds: Vec<[Pair; CALLS.len()]> = Vec::new();
        for round in 0..=ROUNDS {
            let mut figures = [Pair::default(); CALLS.len()];
            for (call, figures) in CALLS.into_iter().zip(&mut figures) {
                let start = (round as u64) << 32;
                for turn in [round % 2, 1 - round % 2] {
                    figures[turn] = match turn {
                        0 => run(store, call, start, size, tasks, calls).await?,
                        _ => run(driver, call, start, size, tasks, calls).await?,
                    };
                }
            }
            // The first round warms up.
            if round > 0 {
                rounds.push(figures);
            }
        }
        for (index, call) in CALLS.into_iter().enumerate() {
            let median = |value: &dyn Fn(&Pair) -> f64| {
                let mut values: Vec<f64> = rounds.iter().map(|round| value(&round[index])).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            println!(
                "| {call:?} | {tasks} | {:.0} | {:.0} | {:.2} | {:.2} |",
                median(&|pair| pair[0].0),
                median(&|pair| pair[1].0),
                median(&|pair| pair[0].0 / pair[1].0),
                median(&|pair| pair[0].1 / pair[1].1),
            );
        }
    }
    println!();
    Ok(())
}

/// Runs calls in some tasks at once, and returns how many were done in a second, and the processor's time for each.
async fn run<C: Contestant>(
    contestant: &C,
    call: Call,
    start: u64,
    size: usize,
    tasks: usize,
    calls: usize,
) -> Result<Figure, BoxError> {
    // One after the other takes long enough with fewer.
    let each = calls / tasks.max(8);
    let (clock, processor) = (Instant::now(), processor_seconds()?);
    let running: Vec<_> = (0..tasks as u64)
        .map(|task| {
            let contestant = contestant.clone();
            let first = start + task * each as u64;
            tokio::spawn(async move {
                let record = record(size)?;
                let last = first + each as u64;
                for key in first..last {
                    match call {
                        Call::Create => contestant.create(key, &record).await?,
                        Call::Load => contestant.load(key).await?,
                        Call::Update => contestant.update(key, &record).await?,
                        Call::Touch => contestant.touch(key, &record).await?,
                        Call::Delete => contestant.delete(key).await?,
                    }
                }
                Ok::<_, BoxError>(())
            })
        })
        .collect();
    for task in running {
        task.await??;
    }
    let calls = (tasks * each) as f64;
    Ok((calls / clock.elapsed().as_secs_f64(), (processor_seconds()? - processor) / calls))
}

/// The processor's time that the threads of this process have had so far, from Linux; 0 elsewhere.
fn processor_seconds() -> Result<f64, BoxError> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Ok(0.0) };
    let mut nanoseconds = 0.0;
    for thread in threads {
        // A thread may have ended since.
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}
