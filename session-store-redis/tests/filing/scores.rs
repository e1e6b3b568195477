//! What the sets of the index hold.

use redis::aio::MultiplexedConnection;
use session_core::{BoxError, Error, ManualClock, Page, Scope, SessionIndex, SessionStore};

use crate::{BASE, QUANTUM, at, check, key, open, record};

/// Most of the records live until later in the quantum, and each sweep removes one.
pub(crate) async fn small_sweeps(url: String) -> Result<(), BoxError> {
    const LIVE: usize = 40;
    let (store, clock, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    for number in 0..LIVE {
        store.create(&key(number), &record(QUANTUM + 9_000)?).await?;
    }
    for number in LIVE..LIVE + 4 {
        store.create(&key(number), &record(QUANTUM + 5)?).await?;
    }
    clock.set(at(QUANTUM + 5)?);
    for (limit, wanted) in [(1, 1), (2, 2), (2, 1), (1, 0)] {
        let removed = store.delete_expired(limit).await?;
        check(removed == wanted, || format!("a sweep of {limit} removed {removed} and not {wanted}"))?;
    }
    for score in raw.scores(None).await? {
        check(score == QUANTUM + 9_000, || format!("what a sweep has looked at is filed at {score}"))?;
    }
    // What was filed at its very end is touched within the quantum, and shortened.
    let (_, revision) = store.load(&key(0)).await?.ok_or("it lives")?;
    store.touch(&key(1), at(QUANTUM + 9_500)?).await?;
    store.update(&key(0), revision, &record(QUANTUM + 8_000)?).await?;
    clock.set(at(QUANTUM + 8_000)?);
    check(store.count(Scope::All).await? == LIVE as u64 - 1, || "one is over".into())?;
    check(store.delete_expired(100).await? == 1, || "the shortened one is swept".into())?;
    clock.set(at(QUANTUM + 9_000)?);
    check(store.delete_expired(100).await? == LIVE as u32 - 2, || "all but the touched one are swept".into())?;
    clock.set(at(QUANTUM + 9_500)?);
    check(store.delete_expired(100).await? == 1, || "the touched one is swept".into())?;
    let left = raw.keys().await?;
    check(left.is_empty(), || format!("left are {left:?}"))
}

/// Touches and updates within a quantum and across.
pub(crate) async fn writes(url: String) -> Result<(), BoxError> {
    let (store, _, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    let revision = store.create(&key(0), &record(6 * QUANTUM + 3)?).await?;
    raw.is_filed_at(6 * QUANTUM + 3, "a create").await?;
    // Who looks at the entry knows whether it was written again.
    raw.file_at(6 * QUANTUM + 2).await?;
    store.touch(&key(0), at(7 * QUANTUM - 2)?).await?;
    raw.is_filed_at(6 * QUANTUM + 2, "a touch within the quantum").await?;
    let revision = store.update(&key(0), revision, &record(7 * QUANTUM - 1)?).await?;
    raw.is_filed_at(6 * QUANTUM + 2, "an update within the quantum").await?;
    let revision = store.update(&key(0), revision, &record(6 * QUANTUM + 1)?).await?;
    raw.is_filed_at(6 * QUANTUM + 1, "an update to a time before the score").await?;
    store.touch(&key(0), at(7 * QUANTUM)?).await?;
    raw.is_filed_at(7 * QUANTUM, "a touch across").await?;
    let revision = store.update(&key(0), revision, &record(9 * QUANTUM + 1)?).await?;
    raw.is_filed_at(9 * QUANTUM + 1, "an update across").await?;
    store.update(&key(0), revision, &record(8 * QUANTUM + 1)?).await?;
    raw.is_filed_at(8 * QUANTUM + 1, "an update back").await
}

/// A touch within a quantum does not tell the index, so that was told for all of them.
pub(crate) async fn kept(url: String) -> Result<(), BoxError> {
    let (store, _, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    store.create(&key(0), &record(6 * QUANTUM)?).await?;
    for expires in [6 * QUANTUM, 7 * QUANTUM - 1, 7 * QUANTUM, 8 * QUANTUM - 1, 36_000_000, 36_000_000 + QUANTUM - 1] {
        store.touch(&key(0), at(expires)?).await?;
        // Others that share a set and end earlier.
        for number in 1..200 {
            drop(store.create(&key(number), &record(5 * QUANTUM)?).await);
        }
        let (record, sets) = raw.kept_for(key(0).as_str()).await?;
        // The test itself takes a while.
        let wanted = expires + 60_000 - 5_000;
        check(record >= wanted, || format!("a record that expires in {expires} is kept for {record}"))?;
        check(sets.len() == 2 && sets.iter().all(|left| *left >= record), || {
            format!("a record is kept for {record} and its sets for {sets:?}")
        })?;
    }
    Ok(())
}

/// What a machine whose clock is a minute ahead writes takes no entry away that the other one needs.
pub(crate) async fn clocks(url: String) -> Result<(), BoxError> {
    const OTHERS: usize = 200;
    let (store, _, prefix) = open(&url).await?;
    let ahead = store.clone().with_clock(ManualClock::new(at(60_000)?));
    let mut raw = Raw::open(&url, prefix).await?;
    store.create(&key(0), &record(QUANTUM - 1)?).await?;
    // Some are in the same part, and so in the same set of ada's; none is in the same set of all, which it would clean up.
    for number in 10..10 + OTHERS {
        ahead.create(&key(number), &record(90_000)?).await?;
    }
    let shared = raw.kept_for(key(0).as_str()).await?.1.len();
    check(shared == 2, || format!("{shared} sets have the entry"))?;
    let count = store.count(Scope::Owner(&"ada".parse()?)).await?;
    check(count == 1 + OTHERS as u64, || format!("counted {count}"))
}

/// The format is of another version: who knows it may want it, until Redis collects it.
pub(crate) async fn unreadable(url: String) -> Result<(), BoxError> {
    let (store, clock, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    store.create(&key(0), &record(QUANTUM + 9_000)?).await?;
    store.create(&key(1), &record(QUANTUM + 9_000)?).await?;
    let names = raw.keys().await?;
    let name = names.iter().find(|name| name.ends_with("}:key:key-0")).ok_or("it is stored")?;
    redis::cmd("SETRANGE").arg(name).arg(0).arg("9").exec_async(&mut raw.line).await?;
    for (now, removed) in [(QUANTUM, 0), (QUANTUM + 9_000, 1), (9 * QUANTUM, 0)] {
        clock.set(at(now)?);
        let swept = store.delete_expired(2).await?;
        check(swept == removed, || format!("{swept} swept at {now}"))?;
        let loaded = store.load(&key(0)).await;
        check(matches!(loaded, Err(Error::Corrupt(_))), || format!("{loaded:?} at {now}"))?;
    }
    check(store.delete(&key(0)).await?, || "it was there".into())?;
    let left = raw.keys().await?;
    check(left.is_empty(), || format!("left are {left:?}"))
}

/// A line that is no text.
pub(crate) async fn damaged(url: String) -> Result<(), BoxError> {
    let (store, _, prefix) = open(&url).await?;
    let mut raw = Raw::open(&url, prefix).await?;
    store.create(&key(0), &record(QUANTUM)?).await?;
    for name in raw.keys().await?.into_iter().filter(|name| name.contains("}:key:")) {
        redis::cmd("SETRANGE").arg(name).arg(40).arg(b"\xff").exec_async(&mut raw.line).await?;
    }
    store.create(&key(1), &record(QUANTUM)?).await?;
    for scope in [Scope::All, Scope::Owner(&"ada".parse()?)] {
        let listed = store.list(scope, &Page::first(10)).await?.sessions;
        check(listed.len() == 1 && listed[0].key == key(1), || format!("{scope:?} has {listed:?}"))?;
    }
    Ok(())
}

/// What is stored, in commands.
pub(crate) struct Raw {
    pub(crate) line: MultiplexedConnection,
    prefix: String,
}

impl Raw {
    pub(crate) async fn open(url: &str, prefix: String) -> Result<Self, BoxError> {
        Ok(Self { line: redis::Client::open(url)?.get_multiplexed_async_connection().await?, prefix })
    }

    pub(crate) async fn keys(&mut self) -> Result<Vec<String>, BoxError> {
        Ok(redis::cmd("KEYS").arg(format!("{}:{{*", self.prefix)).query_async(&mut self.line).await?)
    }

    /// Returns the scores in the sets of all, after [`BASE`]; and moves every entry to another one, if there is one.
    async fn scores(&mut self, moved: Option<i64>) -> Result<Vec<i64>, BoxError> {
        let mut scores = Vec::new();
        for set in self.keys().await?.into_iter().filter(|name| name.contains("}:all:")) {
            let entries: Vec<(String, i64)> =
                redis::cmd("ZRANGE").arg(&set).arg(0).arg(-1).arg("WITHSCORES").query_async(&mut self.line).await?;
            for (name, score) in entries {
                scores.push(score - BASE);
                if let Some(moved) = moved {
                    redis::cmd("ZADD").arg(&set).arg(BASE + moved).arg(name).exec_async(&mut self.line).await?;
                }
            }
        }
        Ok(scores)
    }

    /// Returns for how many milliseconds Redis keeps a record and the sets that it is in.
    pub(crate) async fn kept_for(&mut self, name: &str) -> Result<(i64, Vec<i64>), BoxError> {
        let (mut record, mut sets) = (0, Vec::new());
        for stored in self.keys().await? {
            let left: i64 = redis::cmd("PTTL").arg(&stored).query_async(&mut self.line).await?;
            if stored.ends_with(&format!("}}:key:{name}")) {
                record = left;
            } else if !stored.contains("}:key:") {
                let entries: Vec<String> =
                    redis::cmd("ZRANGE").arg(&stored).arg(0).arg(-1).query_async(&mut self.line).await?;
                let is_in = entries.iter().any(|entry| entry.split(' ').next() == Some(name));
                sets.extend(is_in.then_some(left));
            }
        }
        Ok((record, sets))
    }

    /// Files everything at a time after [`BASE`].
    async fn file_at(&mut self, score: i64) -> Result<(), BoxError> {
        self.scores(Some(score)).await.map(drop)
    }

    /// Says whether the one record is filed there, in its set of all.
    async fn is_filed_at(&mut self, score: i64, after: &str) -> Result<(), BoxError> {
        let scores = self.scores(None).await?;
        check(scores == [score], || format!("after {after} the scores are {scores:?} and not {score}"))
    }
}
