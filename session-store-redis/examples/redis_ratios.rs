//! What the store costs beside the bare client, as ratios: run with `--release`, and `SESSION_TEST_REDIS_URL` naming a server.
//!
//! `cargo run --release -p session-store-redis --example redis_ratios -- [TASKS] [BYTES]`. The ways take turns in one process, so
//! that whatever else the machine does meets all of them; a ratio is the median over the rounds.

use std::env::args;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use session_core::{BoxError, Clock, Data, Record, Revision, SessionId, SessionKey, SessionStore, SystemClock};
use session_store_redis::RedisStore;

const ROUNDS: usize = 15;
const TURN: Duration = Duration::from_millis(300);

/// What `update` has to do at least: compare the revision, and write with an expiry.
const SAVE: &str = "if redis.call('GETRANGE', KEYS[1], 18, 33) ~= ARGV[1] then return 0 end \
                    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Get,
    Load,
    Script,
    Update,
}

const WAYS: [Way; 4] = [Way::Get, Way::Load, Way::Script, Way::Update];

/// What each task has of its own.
#[derive(Clone)]
struct Task {
    line: MultiplexedConnection,
    store: RedisStore,
    key: SessionKey,
    bare: String,
    record: Record,
    /// Of the bare value, and of the store's.
    revision: Revision,
    stored: Revision,
    digest: Arc<str>,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = args().skip(1).map(|argument| argument.parse::<usize>());
    let (tasks, bytes) = (arguments.next().unwrap_or(Ok(64))?, arguments.next().unwrap_or(Ok(2048))?);
    let client = redis::Client::open(std::env::var("SESSION_TEST_REDIS_URL")?)?;
    let mut line = client.get_multiplexed_async_connection().await?;
    let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg(SAVE).query_async(&mut line).await?;
    let store = RedisStore::with_client(client).with_prefix("ratios")?;
    let (data, now) = (json(bytes)?, SystemClock.now());
    let mut all = Vec::new();
    for number in 0..tasks {
        let key = SessionKey::derive("ratios", &SessionId::generate()?);
        let record = Record::new(data.clone(), now, now.saturating_add(Duration::from_secs(3600)));
        let revision = store.create(&key, &record).await?;
        let bare = format!("ratios-bare-{number}");
        let value = value(revision, &record);
        redis::cmd("SET").arg(&bare).arg(value).arg("PX").arg(600_000).exec_async(&mut line).await?;
        let (line, store, digest) = (line.clone(), store.clone(), digest.as_str().into());
        all.push(Task { line, store, key, bare, record, revision, stored: revision, digest });
    }
    let mut rates: Vec<[f64; 4]> = Vec::new();
    for round in 0..=ROUNDS {
        let mut rate = [0.0; 4];
        for turn in 0..WAYS.len() {
            let way = (turn + round) % WAYS.len();
            rate[way] = calls_per_second(&mut all, WAYS[way]).await?;
        }
        // The first round warms up.
        if round > 0 {
            rates.push(rate);
        }
    }
    let median = |of: &dyn Fn(&[f64; 4]) -> f64| {
        let mut values: Vec<f64> = rates.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("{tasks} tasks, {} bytes, {ROUNDS} rounds", data.as_str().len());
    for (way, name) in WAYS.iter().zip(["GET", "load", "script", "update"]) {
        println!("{name:>8} {:9.0} calls/s", median(&|rate| rate[*way as usize]));
    }
    let start = Instant::now();
    for _ in 0..10_000 {
        std::hint::black_box(Data::parse(std::hint::black_box(data.as_str()))?);
    }
    println!("reading the data, which checks that it is an object: {:.2} µs", start.elapsed().as_secs_f64() * 100.0);
    println!("load / GET      {:.2}", median(&|rate| rate[1] / rate[0]));
    println!("update / script {:.2}", median(&|rate| rate[3] / rate[2]));
    for task in &all {
        task.store.delete(&task.key).await?;
        redis::cmd("DEL").arg(&task.bare).exec_async(&mut task.line.clone()).await?;
    }
    Ok(())
}

async fn calls_per_second(tasks: &mut Vec<Task>, way: Way) -> Result<f64, BoxError> {
    let (calls, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let running: Vec<_> = std::mem::take(tasks)
        .into_iter()
        .map(|mut task| {
            let calls = Arc::clone(&calls);
            tokio::spawn(async move {
                let mut made = 0;
                while start.elapsed() < TURN {
                    task.call(way).await?;
                    made += 1;
                }
                calls.fetch_add(made, Ordering::Relaxed);
                Ok::<_, BoxError>(task)
            })
        })
        .collect();
    for task in running {
        tasks.push(task.await??);
    }
    // Calls are far fewer than a float can count.
    Ok(calls.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

impl Task {
    async fn call(&mut self, way: Way) -> Result<(), BoxError> {
        match way {
            Way::Get => {
                let value: Vec<u8> = redis::cmd("GET").arg(&self.bare).query_async(&mut self.line).await?;
                assert!(value.len() > 67, "the value is there");
            }
            Way::Load => {
                self.store.load(&self.key).await?.ok_or("the session is live")?;
            }
            Way::Script => {
                let fresh = Revision::fresh();
                let value = value(fresh, &self.record);
                let mut command = redis::cmd("EVALSHA");
                command.arg(&*self.digest).arg(1).arg(&self.bare).arg(text(self.revision)).arg(value).arg(3_600_000);
                let done: i64 = command.query_async(&mut self.line).await?;
                assert_eq!(done, 1, "the revision is the last one");
                self.revision = fresh;
            }
            Way::Update => {
                self.stored = self.store.update(&self.key, self.stored, &self.record).await?;
            }
        }
        Ok(())
    }
}

fn text(revision: Revision) -> String {
    format!("{:016x}", revision.number())
}

/// A line as the store writes it, and the data.
fn value(revision: Revision, record: &Record) -> String {
    let line = format!("1 {:015} {} {:015} {}", 0, text(revision), 0, "-".repeat(15));
    format!("{line}\n{}", record.data.as_str())
}

/// An object of about so many bytes, of values that sessions have.
fn json(bytes: usize) -> Result<Data, BoxError> {
    let mut text = r#"{"user":"ada","views":7,"theme":"dark","cart":["#.to_owned();
    while text.len() + 60 < bytes {
        text.push_str(r#"{"sku":"A-1001","title":"a thing of some kind","count":2,"price":19.90},"#);
    }
    text.push_str(r#"{"sku":"last"}]}"#);
    Ok(Data::parse(text)?)
}
