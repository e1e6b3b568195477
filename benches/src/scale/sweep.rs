//! How long a reader waits while a store in memory removes what has expired.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use session_core::{Clock, Record, SessionStore, SystemClock};
use time::OffsetDateTime;

use super::grouped;
use crate::Outcome;
use crate::body::Body;
use crate::contestant::LIFETIME;
use crate::ours::fresh_key;
use crate::results::Results;
use crate::stand::Sample;

/// Fills each store with so many sessions, of which a tenth ends a while later.
pub async fn measure(results: &mut Results, count: u64) -> Outcome<()> {
    // Enough for everybody to be filled.
    let soon = Duration::from_secs(if count > 100_000 { 60 } else { 4 });
    let body = Body::of_size(200);
    let table = format!("A reader while a tenth of {} sessions is removed", grouped(count));

    let store = Arc::new(session_store_memory::MemoryStore::new());
    let (start, mut keys) = (Instant::now(), Vec::new());
    for number in 0..count {
        let (key, now) = (fresh_key()?, SystemClock.now());
        let end = if number % 10 == 0 { soon.saturating_sub(start.elapsed()) } else { LIFETIME };
        store.create(&key, &Record::new(body.unshared().data, now, now.saturating_add(end))).await?;
        if number % 10 == 1 {
            keys.push(key);
        }
    }
    let sweeper = Arc::clone(&store);
    let sweep = async move {
        let mut removed = 0;
        loop {
            let some = sweeper.delete_expired(1000).await?;
            removed += some;
            if some < 1000 {
                return Ok(removed.into());
            }
        }
    };
    let read = move |place: usize| {
        let (store, key) = (Arc::clone(&store), keys[place % keys.len()].clone());
        async move { store.load(&key).await.is_ok_and(|found| found.is_some()) }
    };
    observe(results, &table, "ours", start + soon, read, sweep).await?;

    let store = saysion::MemoryStore::new();
    let (start, mut cookies) = (Instant::now(), Vec::new());
    for number in 0..count {
        let mut session = saysion::Session::new();
        session.expire_in(if number % 10 == 0 { soon.saturating_sub(start.elapsed()) } else { LIFETIME });
        body.texts.iter().for_each(|(name, text)| session.insert_raw(name, text.clone()));
        let cookie = saysion::SessionStore::store_session(&store, session).await?;
        cookies.extend(cookie.filter(|_| number % 10 == 1));
    }
    let sweeper = store.clone();
    let sweep = async move {
        let mut removed = 0;
        loop {
            let some = sweeper.cleanup_batch(1000).await?;
            removed += some;
            if some < 1000 {
                return Ok(removed);
            }
        }
    };
    let read = move |place: usize| {
        let (store, cookie) = (store.clone(), cookies[place % cookies.len()].clone());
        async move { saysion::SessionStore::load_session(&store, cookie).await.is_ok_and(|found| found.is_some()) }
    };
    observe(results, &table, "saysion", start + soon, read, sweep).await?;

    use tower_sessions_core_14::SessionStore as _;
    let store = tower_sessions_moka_store::MokaStore::new(None);
    let (start, mut ids) = (Instant::now(), Vec::new());
    for number in 0..count {
        let end = if number % 10 == 0 { soon.saturating_sub(start.elapsed()) } else { LIFETIME };
        let (id, expiry_date) = (Default::default(), OffsetDateTime::now_utc() + end);
        let mut record = tower_sessions_core_14::session::Record { id, data: body.values.clone(), expiry_date };
        store.create(&mut record).await?;
        if number % 10 == 1 {
            ids.push(record.id);
        }
    }
    // It removes while others read and write.
    let sweep = async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(0)
    };
    let read = move |place: usize| {
        let (store, id) = (store.clone(), ids[place % ids.len()]);
        async move { store.load(&id).await.is_ok_and(|found| found.is_some()) }
    };
    observe(results, &table, "tower-sessions-moka", start + soon, read, sweep).await
}

/// Reads on a thread of its own, for two seconds without a sweep and then with one.
async fn observe<F: Future<Output = bool>>(
    results: &mut Results,
    table: &str,
    name: &str,
    expired: Instant,
    read: impl Fn(usize) -> F + Send + Sync + 'static,
    sweep: impl Future<Output = Outcome<u64>> + Send + 'static,
) -> Outcome<()> {
    let read = Arc::new(read);
    if expired < Instant::now() {
        results.add(table, name, "took", "was not filled in time");
        return Ok(());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let idle = reader(Arc::clone(&read), Arc::clone(&stop));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    let idle = idle.join().map_err(|_| "the reader has panicked")?;

    tokio::time::sleep_until((expired + Duration::from_millis(50)).into()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reading = reader(read, Arc::clone(&stop));
    let start = Instant::now();
    let removed = tokio::spawn(sweep).await??;
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    let busy = reading.join().map_err(|_| "the reader has panicked")?;
    let micros = |nanos: u64| format!("{:.1} µs", nanos as f64 / 1000.0);
    results.add(table, name, "p99.99 without", micros(idle.value_at_quantile(0.9999)));
    results.add(table, name, "worst without", micros(idle.max()));
    results.add(table, name, "p99.99 meanwhile", micros(busy.value_at_quantile(0.9999)));
    results.add(table, name, "worst meanwhile", micros(busy.max()));
    results.add(table, name, "reads meanwhile", busy.len().to_string());
    results.add(table, name, "took", format!("{:.0} ms", took.as_secs_f64() * 1000.0));
    results.add(table, name, "removed", grouped(removed));
    Ok(())
}

fn reader<F: Future<Output = bool>>(
    read: Arc<impl Fn(usize) -> F + Send + Sync + 'static>,
    stop: Arc<AtomicBool>,
) -> std::thread::JoinHandle<Histogram<u64>> {
    std::thread::spawn(move || {
        let mut latencies = Sample::empty().latencies;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime on one thread");
        runtime.block_on(async {
            let mut place = 0_usize;
            while !stop.load(Ordering::Relaxed) {
                place = place.wrapping_add(7919);
                let start = Instant::now();
                assert!(read(place).await, "the session is live");
                // It grows with what it is given.
                let _ = latencies.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
        });
        latencies
    })
}
