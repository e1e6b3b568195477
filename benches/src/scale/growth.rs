//! What each call costs with a thousand sessions stored, and with a million.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::{OwnerId, Page, Revision, Scope, SessionIndex, SessionKey};

use super::grouped;
use crate::Outcome;
use crate::body::Body;
use crate::contestant::LIFETIME;
use crate::field::url;
use crate::ours::{fresh_key, record};
use crate::results::{Results, median};

const LEVELS: [u64; 4] = [1000, 10_000, 100_000, 1_000_000];
const TASKS: u64 = 32;
/// A million sessions are not removed at once within the usual five seconds.
const LONG: Duration = Duration::from_secs(120);
/// How many sessions are called in a level.
const CALLS: usize = 2000;
/// Every second session has an owner, and every owner has ten.
const OWNED: u64 = 10;

/// Fills each store with sessions of 200 bytes and measures its calls on the way, one at a time.
pub async fn measure(results: &mut Results, most: u64) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    for store in ["memory", "sqlite", "redis", "postgres", "mariadb", "mongo", "file"] {
        let opened = match open(store, folder.path()).await {
            Ok(opened) => opened,
            Err(error) => {
                eprintln!("{store}: left out, {error}");
                continue;
            }
        };
        let mut stored = 0;
        for level in LEVELS.into_iter().filter(|level| *level <= most) {
            let start = Instant::now();
            let sample = fill(&opened, stored, level).await?;
            let rate = (level - stored) as f64 / start.elapsed().as_secs_f64();
            stored = level;
            let table = format!("Growth: {store}");
            let row = grouped(level);
            results.add(&table, &row, "created/s", format!("{rate:.0}"));
            calls(results, &table, &row, &opened, sample, level).await?;
            eprintln!("growth: {store}, {row}");
        }
        opened.clear().await?;
    }
    Ok(())
}

async fn open(store: &str, folder: &Path) -> Outcome<Arc<dyn SessionIndex>> {
    use session_store_sqlx::{MySqlOptions, PostgresStore, SqliteStore};
    Ok(match store {
        "memory" => Arc::new(session_store_memory::MemoryStore::new()),
        "sqlite" => {
            let store = SqliteStore::open(&folder.join("growth.sqlite").to_string_lossy()).await?;
            store.setup().await?;
            Arc::new(store)
        }
        "redis" => Arc::new(session_store_redis::RedisStore::open(&url(store)?).await?.with_prefix("growth")?),
        "postgres" => {
            let store = PostgresStore::open(&url(store)?).await?.with_table("growth")?;
            store.setup().await?;
            Arc::new(store)
        }
        "mariadb" => {
            let options = MySqlOptions::new(&url(store)?)?.with_timeout(LONG);
            let store = options.open().await?.with_table("growth")?;
            store.setup().await?;
            Arc::new(store)
        }
        "mongo" => {
            let store = session_store_mongo::MongoStore::open(&url(store)?).await?.with_timeout(LONG);
            store.setup().await?;
            Arc::new(store)
        }
        _ => {
            use session_store_file::{Durability, FileStore};
            let path = folder.join("growth");
            std::fs::create_dir_all(&path)?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            Arc::new(FileStore::open(path).await?.with_durability(Durability::Relaxed))
        }
    })
}

type Known = (SessionKey, Revision);

/// Makes the sessions with these numbers and returns some of them, spread evenly.
async fn fill(store: &Arc<dyn SessionIndex>, from: u64, to: u64) -> Outcome<Vec<Known>> {
    let body = Arc::new(Body::of_size(200));
    let step = ((to - from) / u64::try_from(CALLS)?).max(1);
    let tasks = (0..TASKS).map(|task| {
        let (store, body) = (Arc::clone(store), Arc::clone(&body));
        tokio::spawn(async move {
            let mut known = Vec::new();
            for number in (from..to).filter(|number| number % TASKS == task) {
                let key = fresh_key()?;
                let mut record = record(&body.unshared());
                if number % 2 == 0 {
                    record = record.with_owner(owner(number / 2 / OWNED)?);
                }
                let revision = store.create(&key, &record).await?;
                // Without an owner, since an update below takes the owner away.
                if number % step < 2 && number % 2 == 1 {
                    known.push((key, revision));
                }
            }
            Outcome::Ok(known)
        })
    });
    let mut known = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        known.extend(task.await??);
    }
    Ok(known)
}

fn owner(number: u64) -> Outcome<OwnerId> {
    Ok(OwnerId::parse(&format!("user-{number}"))?)
}

async fn calls(
    results: &mut Results,
    table: &str,
    row: &str,
    store: &Arc<dyn SessionIndex>,
    mut known: Vec<Known>,
    stored: u64,
) -> Outcome<()> {
    let body = Body::of_size(200);
    let owners = stored / 2 / OWNED;
    let mut times = vec![Vec::new(); 7];
    let mut timed = |place: usize, start: Instant| times[place].push(start.elapsed().as_secs_f64() * 1e6);
    for place in 0..CALLS {
        let length = known.len();
        let (key, revision) = &mut known[place * 7919 % length];
        let record = record(&body);
        let start = Instant::now();
        store.load(key).await?.ok_or("the session is live")?;
        timed(0, start);
        let start = Instant::now();
        store.touch(key, record.expires_at.saturating_add(LIFETIME + Duration::from_millis(place.try_into()?))).await?;
        timed(3, start);
        let start = Instant::now();
        *revision = store.update(key, *revision, &record).await?;
        timed(2, start);
        let fresh = fresh_key()?;
        let start = Instant::now();
        store.create(&fresh, &record).await?;
        timed(1, start);
        let start = Instant::now();
        store.delete(&fresh).await?;
        timed(4, start);
        if place % 10 == 0 {
            let owner = owner(place as u64 * 7919 % owners.max(1))?;
            let start = Instant::now();
            let listing = store.list(Scope::Owner(&owner), &Page::first(50)).await?;
            timed(5, start);
            if listing.sessions.len() as u64 != OWNED {
                return Err("an owner has not all sessions".into());
            }
            let start = Instant::now();
            store.delete_expired(100).await?;
            timed(6, start);
        }
    }
    let columns = ["load", "create", "update", "touch", "delete", "sessions of an owner", "sweep of nothing"];
    for (column, times) in columns.into_iter().zip(&times) {
        results.add(table, row, column, format!("{:.1}", median(times)));
    }
    Ok(())
}
