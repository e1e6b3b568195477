//! How records are filed in the index: at their expiry or some time before it, so that score and expiry may lie on both sides of now; and
//! how long ones get to their place.

mod ending;
mod exact;
mod long;
mod scores;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{BoxError, Data, ManualClock, Record, Revision, SessionKey, Timestamp};
use session_store_redis::RedisStore;

/// A later expiry is filed when it passes a multiple of so many milliseconds.
const QUANTUM: i64 = 1_000_000;

/// Such a multiple.
const BASE: i64 = 1_800_000_000_000;

fn main() -> ExitCode {
    let redis = "SESSION_TEST_REDIS_URL";
    let trials = vec![
        trial("what is shown and swept is exact", redis, exact::random),
        trial("what is shown and swept in a cluster is exact", "SESSION_TEST_REDIS_CLUSTER_URL", exact::random),
        trial("what lives is shown at every instant of its quantum", redis, exact::instants),
        trial("small sweeps get past what lives", redis, scores::small_sweeps),
        trial("a write files again only across a quantum", redis, scores::writes),
        trial("a record is kept for every expiry of its quantum, and its sets longer", redis, scores::kept),
        trial("a clock that is ahead takes no entry away", redis, scores::clocks),
        trial("what cannot be read is not swept, and a delete leaves nothing of it", redis, scores::unreadable),
        trial("one damaged line does not hide the others", redis, scores::damaged),
        trial("what a clear that died has left is in the index", redis, exact::cleared),
        trial(
            "the end of an owner's sessions that was given up ends none that begins later",
            "SESSION_TEST_REDIS_CLUSTER_URL",
            ending::given_up,
        ),
        trial("a long record is kept as any other", redis, long::kept),
        trial("a long record that is refused changes nothing and leaves nothing", redis, long::refused),
        trial("a long record reaches a server that has forgotten the scripts", redis, long::forgotten),
        trial("a long record that no replica acknowledges is refused", redis, long::acknowledged),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test on the server that a variable names. Without it the test is ignored, and in CI it fails.
fn trial<F>(name: &str, variable: &'static str, test: fn(String) -> F) -> Trial
where
    F: Future<Output = Result<(), BoxError>> + 'static,
{
    let url = std::env::var(variable);
    let is_ignored = url.is_err() && std::env::var_os("CI").is_none();
    let run = move || {
        let url = url.map_err(|_| format!("{variable} names no server"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(test(url)).map_err(|error| Failed::from(format!("{error:?}")))
    };
    Trial::test(name, run).with_kind(variable).with_ignored_flag(is_ignored)
}

/// Opens a namespace of the test's own with a clock that stands at [`BASE`].
async fn open(url: &str) -> Result<(RedisStore, Arc<ManualClock>, String), BoxError> {
    let prefix = format!("filing{:016x}", Revision::fresh().number());
    let clock = Arc::new(ManualClock::new(at(0)?));
    let store = RedisStore::open(url).await?.with_prefix(&prefix)?.with_clock(Arc::clone(&clock));
    Ok((store, clock, prefix))
}

/// Returns the time so many milliseconds after [`BASE`].
fn at(offset: i64) -> Result<Timestamp, BoxError> {
    Ok(Timestamp::from_unix_millis(BASE + offset)?)
}

fn key(number: usize) -> SessionKey {
    // The suite of all stores has names of every kind.
    format!("key-{number}").parse().unwrap_or_else(|_| unreachable!("letters, digits and a hyphen make a key"))
}

/// A record of ada's that expires so many milliseconds after [`BASE`].
fn record(expires: i64) -> Result<Record, BoxError> {
    let begin = at(0)?.saturating_sub(Duration::from_secs(60));
    Ok(Record::new(Data::parse("{}")?, begin, at(expires)?).with_owner("ada".parse()?))
}

/// The same, with data that is long.
fn long(expires: i64, letter: char) -> Result<Record, BoxError> {
    let mut long = record(expires)?;
    long.data = Data::parse(format!(r#"{{"long":"{}"}}"#, letter.to_string().repeat(5_000)))?;
    Ok(long)
}

fn check(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), BoxError> {
    if is_so { Ok(()) } else { Err(otherwise().into()) }
}
