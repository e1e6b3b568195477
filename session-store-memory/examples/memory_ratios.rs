//! What a session costs: bytes, a load as the ratio to the least that can be done, and how long a sweep holds up a reader.
//!
//!     cargo run --release -p session-store-memory --example memory_ratios
//!
//! The least is a map in 256 parts with a lock each, of which a load takes one reference count, behind the same boxed future
//! and without a look at the clock. The two take turns in one process; a figure is the median of the rounds' ratios. Bytes are
//! what the process grew by, so Linux only.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use session_core::{
    BoxError, Clock, Data, OwnerId, Page, Record, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use session_store_memory::MemoryStore;

const MILLION: usize = 1_000_000;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), BoxError> {
    bytes().await?;
    loads().await?;
    growth().await?;
    sweep().await
}

/// The key of a session, as an id gives one: 64 hexadecimal digits.
fn key(number: usize) -> Result<SessionKey, BoxError> {
    let digits = format!("{:016x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Ok(SessionKey::parse(&digits.repeat(4))?)
}

fn record(size: usize, seconds: u64) -> Result<Record, BoxError> {
    let now = SystemClock.now();
    // Each has a text of its own, as sessions have.
    let data = Data::parse(format!(r#"{{"text":"{}"}}"#, "x".repeat(size - 11)))?;
    Ok(Record::new(data, now, now.saturating_add(Duration::from_secs(seconds))))
}

async fn filled(sessions: usize, size: usize) -> Result<MemoryStore, BoxError> {
    let store = MemoryStore::new();
    for number in 0..sessions {
        // Ends come in another order than beginnings.
        store.create(&key(number)?, &record(size, 3600 + (number * 7919 % 3600) as u64)?).await?;
    }
    Ok(store)
}

async fn bytes() -> Result<(), BoxError> {
    for sessions in [MILLION / 4, MILLION] {
        let before = resident()?;
        let store = filled(sessions, 200).await?;
        let each = (resident()? - before) / sessions;
        println!("{sessions} sessions of 200 bytes: {each} bytes each, the text and {}", each.saturating_sub(200));
        drop(store);
    }
    Ok(())
}

/// The bytes of memory that the process has.
fn resident() -> Result<usize, BoxError> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    Ok(statm.split(' ').nth(1).ok_or("statm has more words")?.parse::<usize>()? * 4096)
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Option<Arc<Record>>> + Send + 'a>>;

/// The least: no expiry, no revision, no order.
trait Least: Send + Sync {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Boxed<'a>;
}

struct Parts {
    hasher: RandomState,
    parts: Vec<RwLock<HashMap<SessionKey, Arc<Record>>>>,
}

impl Parts {
    fn part(&self, key: &SessionKey) -> &RwLock<HashMap<SessionKey, Arc<Record>>> {
        &self.parts[(self.hasher.hash_one(key) >> 56) as usize]
    }
}

impl Least for Parts {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Boxed<'a> {
        Box::pin(async move { self.part(key).read().expect("nobody panics").get(key).cloned() })
    }
}

async fn loads() -> Result<(), BoxError> {
    const SESSIONS: usize = 100_000;
    for size in [200, 2048] {
        let parts = Parts { hasher: RandomState::new(), parts: (0..256).map(|_| RwLock::default()).collect() };
        for number in 0..SESSIONS {
            let key = key(number)?;
            parts.part(&key).write().expect("nobody panics").insert(key, Arc::new(record(size, 3600)?));
        }
        let least: Arc<dyn Least> = Arc::new(parts);
        let store: Arc<dyn SessionStore> = Arc::new(filled(SESSIONS, size).await?);
        let keys: Arc<Vec<SessionKey>> = Arc::new((0..SESSIONS).map(key).collect::<Result<_, _>>()?);
        for tasks in [1, 8] {
            let mut rounds = Vec::new();
            for round in 0..15 {
                let mut pair = [0.0; 2];
                for turn in [round % 2, 1 - round % 2] {
                    let start = Instant::now();
                    let running: Vec<_> = (0..tasks)
                        .map(|task| {
                            let (store, least, keys) = (Arc::clone(&store), Arc::clone(&least), Arc::clone(&keys));
                            tokio::spawn(async move {
                                for step in 0..200_000 / tasks {
                                    let key = &keys[(task * 12_345 + step * 7919) % SESSIONS];
                                    let found = match turn {
                                        0 => store.load(key).await.is_ok_and(|found| found.is_some()),
                                        _ => least.load(key).await.is_some(),
                                    };
                                    assert!(found, "it is there");
                                }
                            })
                        })
                        .collect();
                    for task in running {
                        task.await?;
                    }
                    pair[turn] = start.elapsed().as_secs_f64() * 1e9 / 200_000.0;
                }
                rounds.push(pair);
            }
            let median = |value: fn(&[f64; 2]) -> f64| {
                let mut values: Vec<f64> = rounds.iter().map(value).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let (ours, theirs) = (median(|pair| pair[0]), median(|pair| pair[1]));
            let ratio = median(|pair| pair[1] / pair[0]);
            println!("load of {size} bytes, {tasks} tasks: {ours:.0} ns, the least {theirs:.0} ns, ratio {ratio:.2}");
        }
    }
    Ok(())
}

/// What a call costs among a thousand sessions and among a million, ten of each owner.
async fn growth() -> Result<(), BoxError> {
    const CALLS: usize = 50_000;
    for sessions in [1000, 30_000, MILLION] {
        let store = MemoryStore::new();
        let owner = |number: usize| format!("owner-{}", number % (sessions / 10)).parse::<OwnerId>();
        for number in 0..sessions {
            let record = record(200, 3600 + (number * 7919 % 3600) as u64)?.with_owner(owner(number)?);
            store.create(&key(number)?, &record).await?;
        }
        let keys: Vec<SessionKey> = (0..CALLS).map(|call| key(call * 7919 % sessions)).collect::<Result<_, _>>()?;
        let later = record(200, 7200)?.expires_at;
        let mut start = Instant::now();
        let mut nanoseconds = || std::mem::replace(&mut start, Instant::now()).elapsed().as_nanos() / CALLS as u128;
        nanoseconds();
        for key in &keys {
            assert!(store.load(key).await?.is_some(), "it is live");
        }
        let load = nanoseconds();
        for (call, key) in keys.iter().enumerate() {
            store.touch(key, later.saturating_add(Duration::from_millis(call as u64))).await?;
        }
        let touch = nanoseconds();
        for call in 0..CALLS / 50 {
            let listing = store.list(Scope::Owner(&owner(call * 7919)?), &Page::first(100)).await?;
            assert_eq!(listing.sessions.len(), 10);
        }
        let list = nanoseconds() * 50;
        println!("among {sessions}: load {load} ns, touch {touch} ns, an owner's ten sessions listed {list} ns");
    }
    Ok(())
}

/// How long the slowest of many loads takes, with and without a sweep that removes 100,000 of a million sessions.
async fn sweep() -> Result<(), BoxError> {
    let store = filled(MILLION, 200).await?;
    for number in 0..MILLION / 10 {
        let mut expired = record(200, 1)?;
        expired.expires_at = expired.created_at;
        store.create(&SessionKey::parse(&format!("expired-{number}"))?, &expired).await?;
    }
    for name in ["idle", "sweep"] {
        let is_over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (store, is_over) = (store.clone(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                let mut times = Vec::new();
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let key = key(number % MILLION)?;
                    let start = Instant::now();
                    assert!(runtime.block_on(store.load(&key))?.is_some(), "it is live");
                    times.push(start.elapsed());
                    number += 7919;
                }
                Ok::<_, BoxError>(times)
            })
        };
        let start = Instant::now();
        let mut removed = 0;
        if name == "idle" {
            tokio::time::sleep(Duration::from_millis(500)).await;
        } else {
            while let some @ 1.. = store.delete_expired(10_000).await? {
                removed += some;
            }
        }
        let took = start.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let mut times = reader.join().map_err(|_| "the reader panicked")??;
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{name}: {removed} removed in {took:?}; {} loads, half within {:?}, 99.99 % within {:?}, the slowest {:?}",
            times.len(),
            at(0.5),
            at(0.9999),
            at(1.0),
        );
    }
    Ok(())
}
