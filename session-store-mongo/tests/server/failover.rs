//! The primary of a replica set is killed under load, twice; then everything that was acknowledged is looked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use session_core::{BoxError, Clock, Data, Error, Record, SessionIndex, SessionKey, SessionStore, SystemClock};
use session_store_mongo::MongoStore;

use crate::set::Set;

const CLIENTS: usize = 16;

pub(crate) fn killed(program: &str) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut set = Set::start(program).await?;
        let store = MongoStore::open(&set.url()).await?;
        store.setup().await?;
        for round in 0..2 {
            once(&mut set, &store, round).await?;
        }
        slow(&set, &store).await
    })
}

/// The majority takes longer than a tenth of the time-out: writes wait for it.
async fn slow(set: &Set, store: &MongoStore) -> Result<(), BoxError> {
    let (key, now, primary) = (SessionKey::parse("slow")?, SystemClock.now(), set.primary().await?);
    store.create(&key, &Record::new(Data::parse("{}")?, now, now.saturating_add(Duration::from_secs(3600)))).await?;
    let (mut refused, mut succeeded) = (0, 0);
    for _ in 0..4 {
        for number in (0..3).filter(|number| *number != primary) {
            set.signal(number, "STOP")?;
        }
        let touch = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.touch(&key, now.saturating_add(Duration::from_secs(7200))).await }
        });
        tokio::time::sleep(Duration::from_millis(1200)).await;
        for number in (0..3).filter(|number| *number != primary) {
            set.signal(number, "CONT")?;
        }
        match touch.await? {
            Ok(()) => succeeded += 1,
            Err(_) => refused += 1,
        }
    }
    println!("of four writes that the majority made wait for 1.2 s {succeeded} succeeded");
    if refused == 0 { Ok(()) } else { Err(format!("{refused} of 4 writes did not wait for a slow majority").into()) }
}

/// What a client knows about the session under a key.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    /// The last call was acknowledged: it is live with this text.
    Live(String),
    /// Its end was acknowledged: a logout, or the old key of a rotation.
    Ended,
    /// The last call got no answer; it happened or not.
    Unknown,
}

#[derive(Debug, Default)]
struct Seen {
    sessions: BTreeMap<SessionKey, Known>,
    writes: usize,
    logouts: usize,
    unanswered: usize,
    /// When a call succeeded.
    successes: Vec<Instant>,
}

async fn once(set: &mut Set, store: &MongoStore, round: usize) -> Result<(), BoxError> {
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(log_in_and_out(store.clone(), format!("{round}-{client}"), Arc::clone(&is_over))))
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let kill = Instant::now();
    let number = set.kill_primary().await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    is_over.store(true, Ordering::SeqCst);
    let mut seen = Vec::new();
    for client in clients {
        seen.push(client.await??);
    }
    // What only the killed one had is undone now.
    set.revive(number)?;
    set.wait_until_well().await?;

    let (mut lost, mut undone) = (Vec::new(), Vec::new());
    for (key, known) in seen.iter().flat_map(|seen| &seen.sessions) {
        let stored = store.load(key).await?.map(|(record, _)| record.data.as_str().to_owned());
        match known {
            Known::Live(text) if stored.as_ref() != Some(text) => lost.push(key),
            Known::Ended if stored.is_some() => undone.push(key),
            _ => {}
        }
    }
    let mut successes: Vec<Instant> = seen.iter().flat_map(|seen| seen.successes.iter().copied()).collect();
    successes.sort_unstable();
    let gap = successes.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    let after = successes.iter().filter(|success| **success > kill).count();
    let sum = |count: fn(&Seen) -> usize| seen.iter().map(count).sum::<usize>();
    println!(
        "round {round}: {} acknowledged writes, of which {} logouts, {after} of all calls after the kill; {} calls without an \
         answer; lost {}, undone {}; no call succeeded for {gap:?}",
        sum(|seen| seen.writes),
        sum(|seen| seen.logouts),
        sum(|seen| seen.unanswered),
        lost.len(),
        undone.len(),
    );
    if !lost.is_empty() || !undone.is_empty() {
        return Err(format!("{} acknowledged writes were lost and {} logouts undone", lost.len(), undone.len()).into());
    }
    if after == 0 {
        return Err("no call succeeded after the kill".into());
    }
    store.clear().await?;
    Ok(())
}

/// One client: logs in, works, changes its key, and logs out every other time; again and again.
async fn log_in_and_out(store: MongoStore, name: String, is_over: Arc<AtomicBool>) -> Result<Seen, BoxError> {
    let mut seen = Seen::default();
    let mut number = 0;
    while !is_over.load(Ordering::SeqCst) {
        number += 1;
        let (old, new) =
            (SessionKey::parse(&format!("{name}-{number}"))?, SessionKey::parse(&format!("{name}-{number}-new"))?);
        match live(&store, &old, &new, number % 2 == 0, &mut seen).await {
            Ok(()) => {}
            Err(Error::Unavailable(_)) => seen.unanswered += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(seen)
}

async fn live(
    store: &MongoStore,
    old: &SessionKey,
    new: &SessionKey,
    ends: bool,
    seen: &mut Seen,
) -> Result<(), Error> {
    let record = |text: &str| {
        let now = SystemClock.now();
        let data = Data::parse(text).map_err(Error::backend)?;
        Ok::<_, Error>(Record::new(data, now, now.saturating_add(Duration::from_secs(3600))))
    };
    let mut know = |key: &SessionKey, known: Known| drop(seen.sessions.insert(key.clone(), known));
    let mut done = Vec::new();
    let outcome = async {
        know(old, Known::Unknown);
        let revision = store.create(old, &record(r#"{"step":1}"#)?).await?;
        know(old, Known::Live(r#"{"step":1}"#.into()));
        done.push(Instant::now());
        know(old, Known::Unknown);
        let revision = store.update(old, revision, &record(r#"{"step":2}"#)?).await?;
        know(old, Known::Live(r#"{"step":2}"#.into()));
        done.push(Instant::now());
        know(old, Known::Unknown);
        know(new, Known::Unknown);
        store.rotate(old, revision, new, &record(r#"{"step":3}"#)?).await?;
        know(old, Known::Ended);
        know(new, Known::Live(r#"{"step":3}"#.into()));
        done.push(Instant::now());
        if ends {
            know(new, Known::Unknown);
            if !store.delete(new).await? {
                return Err(Error::backend("a session was gone before its logout"));
            }
            know(new, Known::Ended);
            done.push(Instant::now());
        }
        Ok(())
    }
    .await;
    seen.writes += done.len();
    seen.logouts += usize::from(done.len() == 4);
    seen.successes.extend(done);
    outcome
}
