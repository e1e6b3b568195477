//! A map in 256 parts, each under a lock, of texts that are shared; behind the boxed future that a trait object needs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::{Session, end, exactly_one, now};
use crate::Outcome;
use crate::body::Body;
use crate::contestant::Contestant;

/// The keys are digests already: their first bytes are as good as any hash.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}

type Shard = RwLock<HashMap<Box<str>, (Arc<str>, i64), BuildHasherDefault<FirstBytes>>>;

/// The map.
struct Map {
    shards: Vec<Shard>,
    reads_clock: bool,
}

#[async_trait]
trait Store: Send + Sync {
    async fn put(&self, key: &str, text: &Arc<str>, end: i64) -> Outcome<()>;
    async fn get(&self, key: &str) -> Outcome<Option<Arc<str>>>;
    async fn extend(&self, key: &str, end: i64) -> Outcome<()>;
    async fn remove(&self, key: &str) -> Outcome<()>;
}

impl Map {
    fn shard(&self, key: &str) -> &Shard {
        let digit = |byte: u8| usize::from(if byte > b'9' { byte - b'a' + 10 } else { byte - b'0' });
        let last = key.as_bytes().last_chunk().map_or(0, |[high, low]| digit(*high) * 16 + digit(*low));
        &self.shards[last & 255]
    }
}

#[async_trait]
impl Store for Map {
    async fn put(&self, key: &str, text: &Arc<str>, end: i64) -> Outcome<()> {
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(key) {
            Some(stored) => *stored = (Arc::clone(text), end),
            None => drop(shard.insert(key.into(), (Arc::clone(text), end))),
        }
        Ok(())
    }

    async fn get(&self, key: &str) -> Outcome<Option<Arc<str>>> {
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        let now = if self.reads_clock { now() } else { 0 };
        Ok(shard.get(key).filter(|(_, end)| now < *end).map(|(text, _)| Arc::clone(text)))
    }

    async fn extend(&self, key: &str, end: i64) -> Outcome<()> {
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        shard.get_mut(key).map(|(_, stored)| *stored = end.max(*stored)).ok_or_else(|| "it is not there".into())
    }

    async fn remove(&self, key: &str) -> Outcome<()> {
        let removed = self.shard(key).write().unwrap_or_else(PoisonError::into_inner).remove(key);
        exactly_one(removed.is_some().into())
    }
}

/// The map as a contestant.
pub struct Memory(Arc<dyn Store>);

impl Memory {
    /// Makes an empty map.
    pub fn new(reads_clock: bool) -> Self {
        Self(Arc::new(Map { shards: (0..256).map(|_| Shard::default()).collect(), reads_clock }))
    }
}

impl Contestant for Memory {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let session = Session::fresh()?;
        self.0.put(&session.key, &body.text, end(0)).await?;
        Ok(session)
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        Ok(self.0.get(&session.key).await?.is_some())
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        self.0.put(&session.key, &body.text, end(0)).await
    }

    async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        let end = session.touch();
        self.0.extend(&session.key, end).await
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        self.0.remove(&session.key).await
    }
}
