//! What the store costs its server in the mix of calls that applications make, beside GET, SET and the least script.
//!
//! `cargo run --release -p session-store-redis --example redis_mix -- [SESSIONS] [BYTES] [MINUTES]`, with `SESSION_TEST_REDIS_URL` naming
//! an empty server. Per 1,000 requests 880 load, 100 update, 10 log in (a rotation that sets the owner), 5 log out and 5 begin; a session
//! that is loaded is touched once a minute, and lives 30 minutes from then. The clock is the store's alone: a minute passes after
//! as many requests as there are sessions. Each kind of call is made in a stretch of its own, so that the server's counters
//! tell what it costs, with GET and the least script on the same sessions between them: `usec` is what `INFO commandstats` counts, `cpu` the processor's time of the whole server, both in µs per call.

use std::env::args;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::aio::MultiplexedConnection;
use session_core::{
    BoxError, Clock, Data, ManualClock, OwnerId, Page, Record, Revision, Scope, SessionId, SessionIndex, SessionKey,
    SessionStore, SystemClock,
};
use session_store_redis::RedisStore;

/// How many calls are under way at once.
const TASKS: usize = 64;

const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What an update has to do at least: compare the revision, and write with an expiry.
const LEAST: &str = "if redis.call('GETRANGE', KEYS[1], 18, 33) ~= ARGV[1] then return 0 end \
                     redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";

#[derive(Clone)]
struct Session {
    key: SessionKey,
    revision: Revision,
    record: Record,
    touched: usize,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = |unless: usize| arguments.next().unwrap_or(Ok(unless));
    let (sessions, bytes, minutes) = (next(10_000)?, next(1024)?, next(20)?);
    let url = std::env::var("SESSION_TEST_REDIS_URL")?;
    let mut server = Server { line: redis::Client::open(&*url)?.get_multiplexed_async_connection().await? };
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = RedisStore::open(&url).await?.with_prefix("mix")?.with_clock(clock.clone());
    let data = json(bytes)?;
    println!("{sessions} sessions of {} bytes, {minutes} minutes, {TASKS} calls at once", data.as_str().len());
    bare(&mut server, 2 * sessions, &data).await?;

    let mut app = App { store, clock, data, sessions: Vec::new(), random: 1, minute: 0 };
    let before = server.counters().await?;
    app.begin(sessions, false).await?;
    server.tell("create", sessions, before).await?;
    let before = server.counters().await?;
    app.begin(sessions, true).await?;
    let after = server.tell("create with owner", sessions, before).await?;
    println!("{:>24} bytes a session with an owner", (after.memory - before.memory) / sessions as u64);
    app.minutes(&mut server, minutes).await?;
    for (name, scope) in [("count of all", Scope::All), ("count of an owner", Scope::Owner(&owner(7)?))] {
        let before = server.counters().await?;
        app.store.count(scope).await?;
        server.tell(name, 1, before).await?;
        let before = server.counters().await?;
        app.store.list(scope, &Page::first(50)).await?;
        server.tell(&name.replace("count", "a page"), 1, before).await?;
    }
    let before = server.counters().await?;
    app.store.delete_expired(u32::MAX).await?;
    server.tell("a sweep", 1, before).await?;
    let before = server.counters().await?;
    app.store.clear().await?;
    server.tell("clear, a session", app.sessions.len(), before).await?;
    Ok(())
}

/// The bare commands, on values of the same size.
async fn bare(server: &mut Server, count: usize, data: &Data) -> Result<(), BoxError> {
    let line = &server.line.clone();
    let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg(LEAST).query_async(&mut line.clone()).await?;
    for way in ["SET PX", "GET", "least script"] {
        let before = server.counters().await?;
        bare_calls(way, line, &digest, (0..count).collect(), data).await?;
        server.tell(way, count, before).await?;
    }
    Ok(())
}

async fn bare_calls(
    way: &str,
    line: &MultiplexedConnection,
    digest: &str,
    places: Vec<usize>,
    data: &Data,
) -> Result<(), BoxError> {
    let value =
        |number: usize| format!("1 {:015} {number:016x} {:015} {} \n00000000 {}", 0, 0, "-".repeat(15), data.as_str());
    let key = |number: usize| format!("bare:{{0}}:key:{number:064x}");
    let calls = places.into_iter().map(|number| async move {
        let mut line = line.clone();
        match way {
            "GET" => redis::cmd("GET").arg(key(number)).exec_async(&mut line).await,
            "SET PX" => {
                let mut command = redis::cmd("SET");
                command.arg(key(number)).arg(value(number)).arg("PX").arg(6_000_000).exec_async(&mut line).await
            }
            _ => {
                let mut command = redis::cmd("EVALSHA");
                command.arg(digest).arg(1).arg(key(number)).arg(format!("{number:016x}"));
                let done: i64 = command.arg(value(number)).arg(6_000_000).query_async(&mut line).await?;
                assert_eq!(done, 1, "the revision is the one that is stored");
                Ok(())
            }
        }
    });
    stream::iter(calls).buffer_unordered(TASKS).try_collect::<()>().await?;
    Ok(())
}

struct App {
    store: RedisStore,
    clock: Arc<ManualClock>,
    data: Data,
    sessions: Vec<Session>,
    random: u64,
    minute: usize,
}

impl App {
    fn record(&self, owner: Option<OwnerId>) -> Record {
        let now = self.clock.now();
        let mut record = Record::new(self.data.clone(), now, now.saturating_add(LIFETIME));
        record.owner = owner;
        record
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap_or(0) % bound
    }

    /// So many, each once.
    fn some(&mut self, count: usize) -> Vec<usize> {
        let all = self.sessions.len();
        let mut places: Vec<usize> = (0..count).map(|_| self.below(all)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    async fn begin(&mut self, count: usize, has_owner: bool) -> Result<(), BoxError> {
        let users = self.sessions.len().max(count) / 3 + 1;
        let mut fresh = Vec::new();
        for _ in 0..count {
            let owner = if has_owner { Some(owner(self.below(users))?) } else { None };
            let key = SessionKey::derive("mix", &SessionId::generate()?);
            fresh.push(Session { key, revision: Revision::fresh(), record: self.record(owner), touched: self.minute });
        }
        let store = &self.store;
        let created = stream::iter(fresh)
            .map(|mut session| async move {
                session.revision = store.create(&session.key, &session.record).await?;
                Ok::<_, session_core::Error>(session)
            })
            .buffer_unordered(TASKS);
        let created: Vec<Session> = created.try_collect().await?;
        self.sessions.extend(created);
        Ok(())
    }

    /// Makes a kind of call on some sessions, and puts what has become of them back.
    async fn each<C>(&mut self, places: &[usize], call: impl Fn(RedisStore, Session) -> C) -> Result<(), BoxError>
    where
        C: Future<Output = Result<Session, BoxError>>,
    {
        let calls = places.iter().map(|place| {
            let running = call(self.store.clone(), self.sessions[*place].clone());
            async move { Ok::<_, BoxError>((*place, running.await?)) }
        });
        let done: Vec<(usize, Session)> =
            stream::iter(calls.collect::<Vec<_>>()).buffer_unordered(TASKS).try_collect().await?;
        for (place, session) in done {
            self.sessions[place] = session;
        }
        Ok(())
    }

    async fn minutes(&mut self, server: &mut Server, minutes: usize) -> Result<(), BoxError> {
        let names = ["load", "update", "touch", "log in", "log out", "begin", "GET", "least script"];
        let (mut costs, mut calls) = ([Counters::default(); 8], [0; 8]);
        let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg(LEAST).query_async(&mut server.line.clone()).await?;
        let mut note = |kind: usize, count: usize, (before, after): (Counters, Counters)| {
            costs[kind] = costs[kind].plus(after.minus(before));
            calls[kind] += count;
        };
        let share = |all: usize, of_thousand: usize| (all * of_thousand).div_ceil(1000);
        for minute in 1..=minutes {
            self.minute = minute;
            self.clock.advance(Duration::from_secs(60));
            let (all, expires) = (self.sessions.len(), self.clock.now().saturating_add(LIFETIME));
            let loaded = self.some(share(all, 880));
            let mut before = server.counters().await?;
            self.each(&loaded, |store, session| async move {
                store.load(&session.key).await?.ok_or("the session is live")?;
                Ok(session)
            })
            .await?;
            let mut after = server.counters().await?;
            note(0, loaded.len(), (before, after));

            let updated = self.some(share(all, 100));
            before = after;
            bare_calls("GET", &server.line.clone(), &digest, loaded.clone(), &self.data).await?;
            after = server.counters().await?;
            note(6, loaded.len(), (before, after));
            before = after;
            bare_calls("least script", &server.line.clone(), &digest, updated.clone(), &self.data).await?;
            after = server.counters().await?;
            note(7, updated.len(), (before, after));
            before = after;
            self.each(&updated, |store, mut session| async move {
                session.record.expires_at = expires;
                session.revision = store.update(&session.key, session.revision, &session.record).await?;
                session.touched = minute;
                Ok(session)
            })
            .await?;
            after = server.counters().await?;
            note(1, updated.len(), (before, after));

            let touched: Vec<usize> =
                loaded.iter().copied().filter(|place| self.sessions[*place].touched < minute).collect();
            before = after;
            self.each(&touched, |store, mut session| async move {
                store.touch(&session.key, expires).await?;
                session.touched = minute;
                Ok(session)
            })
            .await?;
            after = server.counters().await?;
            note(2, touched.len(), (before, after));

            let logged_in = self.some(share(all, 10));
            let user = owner(self.below(all / 3))?;
            before = after;
            self.each(&logged_in, |store, mut session| {
                let user = user.clone();
                async move {
                    let key = SessionKey::derive("mix", &SessionId::generate()?);
                    session.record = session.record.with_owner(user);
                    session.record.expires_at = expires;
                    session.revision = store.rotate(&session.key, session.revision, &key, &session.record).await?;
                    session.key = key;
                    Ok(session)
                }
            })
            .await?;
            after = server.counters().await?;
            note(3, logged_in.len(), (before, after));

            let logged_out = self.some(share(all, 5));
            before = after;
            self.each(&logged_out, |store, session| async move {
                store.delete(&session.key).await?;
                Ok(session)
            })
            .await?;
            after = server.counters().await?;
            note(4, logged_out.len(), (before, after));
            for place in logged_out.iter().rev() {
                self.sessions.swap_remove(*place);
            }
            before = server.counters().await?;
            let count = logged_out.len();
            self.begin(count, false).await?;
            after = server.counters().await?;
            note(5, count, (before, after));
        }
        for (kind, name) in names.iter().enumerate() {
            costs[kind].tell(name, calls[kind], minutes as u64);
        }
        let all = costs[..6].iter().fold(Counters::default(), |sum, cost| sum.plus(*cost));
        let requests = calls[0] + calls[1] + calls[3] + calls[4] + calls[5];
        all.tell("a request of the mix", requests, 6 * minutes as u64);
        Ok(())
    }
}

struct Server {
    line: MultiplexedConnection,
}

/// What the server has used, in microseconds and bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Counters {
    usec: u64,
    cpu: u64,
    memory: u64,
}

/// What asking for the counters costs itself, about.
const ASKING: u64 = 110;

impl Counters {
    fn plus(self, other: Self) -> Self {
        Self { usec: self.usec + other.usec, cpu: self.cpu + other.cpu, memory: 0 }
    }

    fn minus(self, other: Self) -> Self {
        Self { usec: self.usec - other.usec, cpu: self.cpu - other.cpu, memory: 0 }
    }

    fn tell(self, name: &str, calls: usize, asked: u64) {
        let each = |sum: u64| sum as f64 / calls as f64;
        println!("{name:>24} usec {:7.2}  cpu {:7.2}", each(self.usec), each(self.cpu.saturating_sub(asked * ASKING)));
    }
}

impl Server {
    async fn counters(&mut self) -> Result<Counters, BoxError> {
        let info: String =
            redis::cmd("INFO").arg(&["commandstats", "cpu", "memory"]).query_async(&mut self.line).await?;
        let mut counters = Counters::default();
        for line in info.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            match name {
                "used_cpu_user" | "used_cpu_sys" => counters.cpu += (value.parse::<f64>()? * 1e6) as u64,
                "used_memory" => counters.memory = value.parse()?,
                // What a script calls is counted once with it and once by itself.
                "cmdstat_evalsha" | "cmdstat_eval" | "cmdstat_exec" => counters.usec += usec(value)?,
                "cmdstat_get" | "cmdstat_getex" => counters.usec += usec(value)?,
                // No script of the stretches that are about it is running then.
                "cmdstat_set" if !info.contains("cmdstat_evalsha:") => counters.usec += usec(value)?,
                _ => {}
            }
        }
        Ok(counters)
    }

    async fn tell(&mut self, name: &str, calls: usize, before: Counters) -> Result<Counters, BoxError> {
        let after = self.counters().await?;
        after.minus(before).tell(name, calls, 1);
        Ok(after)
    }
}

fn usec(value: &str) -> Result<u64, BoxError> {
    let field = value.split(',').find_map(|field| field.strip_prefix("usec=")).ok_or("a command has its time")?;
    Ok(field.parse()?)
}

fn owner(number: usize) -> Result<OwnerId, BoxError> {
    Ok(format!("user-{number}@example.org").parse()?)
}

/// An object of about so many bytes, of values that sessions have.
fn json(bytes: usize) -> Result<Data, BoxError> {
    let mut text = r#"{"user":"ada","views":7,"theme":"dark","cart":["#.to_owned();
    while text.len() + 90 < bytes {
        text.push_str(r#"{"sku":"A-1001","title":"a thing of some kind","count":2,"price":19.90},"#);
    }
    text.push_str(r#"{"sku":"last"}]}"#);
    Ok(Data::parse(text)?)
}
