//! A slot moves from one node of a cluster to another while sessions in it are used: a call has the whole of it, or is refused.
//!
//! Run by `scripts/failover`, which starts a cluster of its own for it. Shows as ignored otherwise.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use session_core::{
    BoxError, Clock, Data, Error, OwnerId, Page, Record, Revision, Scope, SessionIndex, SessionKey, SessionStore,
    SystemClock,
};
use session_store_redis::RedisStore;

/// How many sessions of each owner begin in all slots.
const SESSIONS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "moves a slot of its cluster; run scripts/failover"]
async fn a_slot_moves() -> Result<(), BoxError> {
    let url = std::env::var("SESSION_TEST_REDIS_CLUSTER_URL")?;
    let (_, hosts) = url.split_once("://").ok_or("an URL has a scheme")?;
    let store = RedisStore::open(&url).await?.with_prefix("moving")?.with_timeout(Duration::from_millis(300));
    let mut told = Told::default();
    for number in 0..SESSIONS {
        for owner in ["ada", "grace"] {
            told.create(&store, owner, &format!("{owner}-{number}")).await?;
        }
    }
    let mut slot = Slot::of_most(hosts.split(['/', ',']).filter(|host| !host.is_empty())).await?;
    slot.begin().await?;
    // Nothing has moved, some has, the rest has, and everybody has been told.
    for (step, of) in [(0, 1), (1, 3), (1, 2), (1, 1)] {
        slot.move_keys(step, of).await?;
        told.check(&store).await.map_err(|error| format!("when {step} of {of} have moved: {error}"))?;
    }
    slot.end().await?;
    told.check(&store).await?;
    let served = told.serves(&store).await;
    served.map_err(|error| format!("when the slot has moved: {error}").into())
}

/// What the store has said of each session: its owner, and its revision if it is known.
#[derive(Default)]
struct Told {
    live: HashMap<SessionKey, (OwnerId, Option<Revision>)>,
    /// What was refused may be there or not.
    unknown: HashMap<SessionKey, OwnerId>,
    round: usize,
    refused: usize,
}

impl Told {
    async fn create(&mut self, store: &RedisStore, owner: &str, name: &str) -> Result<(), BoxError> {
        let (key, owner): (SessionKey, OwnerId) = (name.parse()?, owner.parse()?);
        match store.create(&key, &record(&owner)?).await {
            Ok(revision) => _ = self.live.insert(key, (owner, Some(revision))),
            Err(Error::Unavailable(_)) => _ = self.unknown.insert(key, owner),
            Err(error) => return Err(format!("create: {error:?}").into()),
        }
        Ok(())
    }

    /// Makes every kind of call. What is answered is right, and what is not is `Unavailable`.
    async fn check(&mut self, store: &RedisStore) -> Result<(), BoxError> {
        self.round += 1;
        let mut keys: Vec<SessionKey> = self.live.keys().cloned().collect();
        keys.sort();
        for (place, key) in keys.iter().enumerate() {
            let loaded = store.load(key).await.map_err(|error| format!("load: {error:?}"))?;
            let (_, revision) = loaded.ok_or_else(|| format!("{key} is lost"))?;
            let (owner, known) = &self.live[key];
            if known.is_some_and(|known| known != revision) {
                return Err(format!("{key} has another revision").into());
            }
            let owner = owner.clone();
            match (place + self.round) % 7 {
                0 => {
                    let known = match store.update(key, revision, &record(&owner)?).await {
                        Ok(revision) => Some(revision),
                        Err(Error::Unavailable(_)) => None,
                        Err(error) => return Err(format!("update: {error:?}").into()),
                    };
                    self.refused += usize::from(known.is_none());
                    self.live.insert(key.clone(), (owner, known));
                }
                1 => {
                    let until = SystemClock.now().saturating_add(Duration::from_secs(7200));
                    let touched = store.touch(key, until).await;
                    self.may_be_refused(touched).map_err(|error| format!("touch: {error:?}"))?;
                }
                2 if self.round.is_multiple_of(2) => {
                    self.live.remove(key);
                    let deleted = store.delete(key).await;
                    match self.may_be_refused(deleted).map_err(|error| format!("delete: {error:?}"))? {
                        Some(true) => {}
                        Some(false) => return Err(format!("{key} was not there to be deleted").into()),
                        None => _ = self.unknown.insert(key.clone(), owner),
                    }
                }
                _ => {}
            }
        }
        for number in 0..40 {
            let name = format!("ada-new-{}-{number}", self.round);
            self.create(store, "ada", &name).await?;
        }
        self.lists(store).await?;
        // Grace's sessions all end, or it is not known of any.
        if self.round == 3 {
            let ended = store.delete_owned(&"grace".parse()?, None).await;
            let is_known = self.may_be_refused(ended).map_err(|error| format!("delete_owned: {error:?}"))?.is_some();
            let graces: Vec<SessionKey> = self
                .live
                .iter()
                .filter(|(_, (owner, _))| owner.as_str() == "grace")
                .map(|(key, _)| key.clone())
                .collect();
            for key in graces {
                let gone = self.live.remove(&key);
                if is_known && store.load(&key).await?.is_some() {
                    return Err(format!("{key} was ended and lives").into());
                }
                if let (false, Some((owner, _))) = (is_known, gone) {
                    self.unknown.insert(key, owner);
                }
            }
        }
        Ok(())
    }

    /// Says whether what is listed is there, and what is known to be there is listed.
    async fn lists(&mut self, store: &RedisStore) -> Result<(), BoxError> {
        let ada: OwnerId = "ada".parse()?;
        for (scope, is_owner) in [(Scope::All, false), (Scope::Owner(&ada), true)] {
            let mut listed = Vec::new();
            let mut page = Page::first(300);
            let is_known = loop {
                let listing = store.list(scope, &page).await;
                let Some(listing) = self.may_be_refused(listing).map_err(|error| format!("list: {error:?}"))? else {
                    break false;
                };
                listed.extend(listing.sessions.into_iter().map(|session| session.key));
                let Some(next) = listing.next else { break true };
                page = Page::first(300).after(next);
            };
            let missing = self.live.iter().filter(|(_, (owner, _))| !is_owner || *owner == ada);
            let missing = missing.filter(|(key, _)| !listed.contains(key)).count();
            if is_known && missing > 0 {
                return Err(format!("{missing} are missing in {scope:?}").into());
            }
            if let Some(ghost) =
                listed.iter().find(|key| !self.live.contains_key(key) && !self.unknown.contains_key(key))
            {
                return Err(format!("{ghost} is listed and not there").into());
            }
        }
        Ok(())
    }

    fn may_be_refused<T>(&mut self, answer: session_core::Result<T>) -> session_core::Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Unavailable(_)) => {
                self.refused += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Says whether nothing is refused any more, and the index agrees with what can be loaded.
    async fn serves(mut self, store: &RedisStore) -> Result<(), BoxError> {
        println!(
            "{} sessions, {} calls refused and {} sessions unknown",
            self.live.len(),
            self.refused,
            self.unknown.len()
        );
        let refused = self.refused;
        for (key, owner) in std::mem::take(&mut self.unknown) {
            if store.load(&key).await?.is_some() {
                self.live.insert(key, (owner, None));
            }
        }
        self.lists(store).await?;
        let ada: OwnerId = "ada".parse()?;
        let adas = self.live.values().filter(|(owner, _)| *owner == ada).count() as u64;
        let counts = (store.count(Scope::All).await?, store.count(Scope::Owner(&ada)).await?);
        if counts != (self.live.len() as u64, adas) || self.refused != refused {
            return Err(format!("counted {counts:?} and not {} and {adas}", self.live.len()).into());
        }
        let ended = store.delete_owned(&ada, None).await?;
        if ended != adas { Err(format!("ended {ended} of {adas}").into()) } else { Ok(()) }
    }
}

fn record(owner: &OwnerId) -> Result<Record, BoxError> {
    let now = SystemClock.now();
    Ok(Record::new(Data::parse("{}")?, now, now.saturating_add(Duration::from_secs(3600))).with_owner(owner.clone()))
}

/// A slot on its way.
struct Slot {
    number: u16,
    from: Node,
    to: Node,
    others: Vec<Node>,
    all: usize,
}

/// A master.
struct Node {
    id: String,
    host: String,
    port: String,
    line: MultiplexedConnection,
}

impl Slot {
    /// Finds the slot with most keys.
    async fn of_most(hosts: impl Iterator<Item = &str>) -> Result<Self, BoxError> {
        let (mut nodes, mut most) = (Vec::new(), (0, 0, 0));
        for host in hosts {
            let mut line = redis::Client::open(format!("redis://{host}"))?.get_multiplexed_async_connection().await?;
            let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut line).await?;
            if !matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master") {
                continue;
            }
            let names: Vec<String> = redis::cmd("KEYS").arg("moving:{*").query_async(&mut line).await?;
            let mut slots: HashMap<u16, usize> = HashMap::new();
            for name in names {
                *slots
                    .entry(redis::cmd("CLUSTER").arg("KEYSLOT").arg(name).query_async(&mut line).await?)
                    .or_default() += 1;
            }
            let fullest = slots.into_iter().map(|(slot, count)| (count, slot, nodes.len())).max().unwrap_or_default();
            most = most.max(fullest);
            let id = redis::cmd("CLUSTER").arg("MYID").query_async(&mut line).await?;
            let (host, port) = host.split_once(':').ok_or("a node has a port")?;
            nodes.push(Node { id, host: host.into(), port: port.into(), line });
        }
        let (all, number, place) = most;
        let from = nodes.remove(place);
        let to = nodes.pop().ok_or("there is another master")?;
        Ok(Self { number, from, to, others: nodes, all })
    }

    async fn begin(&mut self) -> Result<(), BoxError> {
        let Self { number, from, to, .. } = self;
        let set = |state: &str, id: &str| {
            let mut command = redis::cmd("CLUSTER");
            command.arg("SETSLOT").arg(*number).arg(state).arg(id);
            command
        };
        set("IMPORTING", &from.id).exec_async(&mut to.line).await?;
        set("MIGRATING", &to.id).exec_async(&mut from.line).await?;
        Ok(())
    }

    /// Moves such a part of what is still there, whatever it is.
    async fn move_keys(&mut self, part: usize, of: usize) -> Result<(), BoxError> {
        let Self { number, from, to, all, .. } = self;
        let keys: Vec<String> =
            redis::cmd("CLUSTER").arg("GETKEYSINSLOT").arg(*number).arg(*all * 4).query_async(&mut from.line).await?;
        let count = keys.len() * part / of;
        if count > 0 {
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg(&to.host).arg(&to.port).arg("").arg(0).arg(5_000).arg("KEYS").arg(&keys[..count]);
            migrate.exec_async(&mut from.line).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), BoxError> {
        let Self { number, from, to, others, .. } = self;
        let id = to.id.clone();
        for node in [to, from].into_iter().chain(others) {
            redis::cmd("CLUSTER").arg("SETSLOT").arg(*number).arg("NODE").arg(&id).exec_async(&mut node.line).await?;
        }
        Ok(())
    }
}
