//! The calls of the contract, put together from those of a published store.
//!
//! Everything that a caller can add is added: the record travels as one text, so no type of its values is lost on the way, and it holds a
//! revision that is compared before a write. What no caller can add is that a comparison and the write after it are one step.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use session_core::{BoxError, Data, Error, Record, Result, Revision, SessionKey, SessionStore, Timestamp};

use crate::peer::Peer;

/// A published store as a session store.
#[derive(Clone)]
pub(crate) struct Adapter<P>(pub(crate) P);

/// A record as text.
#[derive(Serialize, Deserialize)]
struct Stored {
    data: String,
    created_at: i64,
    expires_at: i64,
    deadline: Option<i64>,
    owner: Option<String>,
    revision: u64,
}

impl Stored {
    fn of(record: &Record, revision: Revision) -> Self {
        Self {
            data: record.data.as_str().to_owned(),
            created_at: record.created_at.unix_millis(),
            expires_at: record.expires_at.unix_millis(),
            deadline: record.deadline.map(Timestamp::unix_millis),
            owner: record.owner.as_ref().map(ToString::to_string),
            revision: revision.number(),
        }
    }

    fn read(text: &str) -> Result<(Record, Revision)> {
        let stored: Self = serde_json::from_str(text).map_err(Error::corrupt)?;
        let time = |millis| Timestamp::from_unix_millis(millis).map_err(Error::corrupt);
        let data = Data::parse(stored.data).map_err(Error::corrupt)?;
        let mut record = Record::new(data, time(stored.created_at)?, time(stored.expires_at)?);
        record.deadline = stored.deadline.map(time).transpose()?;
        record.owner = stored.owner.map(|owner| owner.parse()).transpose().map_err(Error::corrupt)?;
        Ok((record, Revision::from_number(stored.revision)))
    }

    fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::backend)
    }
}

impl<P: Peer> Adapter<P> {
    /// Moves the end of a session into the past, by writing it once more.
    pub(crate) async fn age(&self, key: &SessionKey, by: Duration) -> Result<(), BoxError> {
        let Some((mut record, revision)) = self.load(key).await? else { return Ok(()) };
        record.expires_at = record.expires_at.saturating_sub(by);
        Ok(self.save(key, &record, revision).await?)
    }

    async fn save(&self, key: &SessionKey, record: &Record, revision: Revision) -> Result<()> {
        let text = Stored::of(record, revision).to_text()?;
        self.0.save(key.as_str(), text, record.expires_at).await.map_err(Error::backend)
    }

    /// Returns the live record, if its revision is the expected one.
    async fn expected(&self, key: &SessionKey, expected: Revision) -> Result<Record> {
        match self.load(key).await? {
            None => Err(Error::NotFound),
            Some((_, revision)) if revision != expected => Err(Error::Conflict),
            Some((record, _)) => Ok(record),
        }
    }
}

/// Returns what a write stores: the record, with what stays as it was.
fn renewed(stored: &Record, record: &Record) -> Record {
    let mut renewed = record.clone();
    renewed.created_at = stored.created_at;
    renewed.deadline = stored.deadline;
    renewed
}

#[async_trait]
impl<P: Peer> SessionStore for Adapter<P> {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let revision = Revision::fresh();
        let text = Stored::of(record, revision).to_text()?;
        let is_stored = self.0.create(key.as_str(), text, record.expires_at).await.map_err(Error::backend)?;
        if is_stored { Ok(revision) } else { Err(Error::AlreadyExists) }
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let text = self.0.load(key.as_str()).await.map_err(Error::backend)?;
        text.map(|text| Stored::read(&text)).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let stored = self.expected(key, expected).await?;
        let revision = Revision::fresh();
        self.save(key, &renewed(&stored, record), revision).await?;
        Ok(revision)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let (mut record, revision) = self.load(key).await?.ok_or(Error::NotFound)?;
        if expires_at > record.expires_at {
            record.expires_at = expires_at;
            self.save(key, &record, revision).await?;
        }
        Ok(())
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let stored = self.expected(old, expected).await?;
        let revision = self.create(new, &renewed(&stored, record)).await?;
        self.delete(old).await?;
        Ok(revision)
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let is_live = self.load(key).await?.is_some();
        self.0.delete(key.as_str()).await.map_err(Error::backend)?;
        Ok(is_live)
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        // No published store takes a limit.
        if limit == 0 { Ok(0) } else { self.0.delete_expired().await.map_err(Error::backend) }
    }
}
