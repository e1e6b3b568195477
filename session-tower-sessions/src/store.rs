//! The calls of tower-sessions, as calls of a store of this toolkit.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use session_core::{
    BoxError, Clock, Error, OwnerId, Record, SessionId, SessionKey, SessionStore, SystemClock, Timestamp,
};
use time::OffsetDateTime;

use crate::loaded::{self, Loaded, Values};

/// Any store of this toolkit as a store of tower-sessions.
///
/// Clones share the store. See the [crate's page](crate) for what it does with concurrent requests.
#[derive(Clone)]
pub struct TowerSessionsStore<S> {
    store: S,
    namespace: Arc<str>,
    owner_of: Option<OwnerOf>,
    clock: Arc<dyn Clock>,
}

type OwnerOf = Arc<dyn Fn(&HashMap<String, Value>) -> Option<OwnerId> + Send + Sync>;

/// How often a save is made again on what others have stored meanwhile.
const ATTEMPTS: u32 = 16;

impl<S: SessionStore> TowerSessionsStore<S> {
    /// Takes a store: one of this toolkit's, or a pointer to one.
    pub fn new(store: S) -> Self {
        Self { store, namespace: "tower-sessions".into(), owner_of: None, clock: Arc::new(SystemClock) }
    }

    /// Sets what goes into the key of a session beside its id, `tower-sessions` by default: two applications that share a backend have
    /// different ones, or one could present the other's ids.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets who a session belongs to, by its values: with [`axum_login`](crate::axum_login), the user who is logged in. So a
    /// user's sessions can be listed, counted and ended through the store's index.
    ///
    /// Without it the owner of a stored session stays as it is.
    #[must_use]
    pub fn with_owner(
        mut self,
        owner_of: impl Fn(&HashMap<String, Value>) -> Option<OwnerId> + Send + Sync + 'static,
    ) -> Self {
        self.owner_of = Some(Arc::new(owner_of));
        self
    }

    /// Sets the clock that dates new sessions; the system's by default. Whether one is live decides the store, by its own.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Returns the key under which a session is stored, by its id as tower-sessions shows it (`session.id()?.to_string()`), to find
    /// it in a list.
    ///
    /// # Errors
    ///
    /// [`InvalidId`](session_core::InvalidId) if the text is no id: empty, too long, or not visible ASCII.
    pub fn key_of(&self, id: &str) -> Result<SessionKey, session_core::InvalidId> {
        Ok(SessionKey::derive(&self.namespace, &SessionId::foreign(id)?))
    }

    /// Stores a new record and puts what was stored into its values. `AlreadyExists` if the id is taken.
    pub(crate) async fn create_record(
        &self,
        id: &str,
        values: &mut Values,
        ends_at: OffsetDateTime,
    ) -> Result<(), Error> {
        let loaded = Loaded::of(values);
        let data = match &loaded {
            // After a change of the id: what nobody changed keeps its bytes.
            Some(loaded) => loaded::apply(&loaded.changes(values).map_err(unwritable)?, &loaded.data),
            None => loaded::data(values).map_err(unwritable)?,
        };
        let owner = self.owner(values, loaded.and_then(|loaded| loaded.owner));
        let mut record = Record::new(data.clone(), self.clock.now(), moment(ends_at));
        record.owner.clone_from(&owner);
        let revision = self.store.create(&self.key(id)?, &record).await?;
        Loaded { revision, expires_at: record.expires_at, owner, data }.put_into(values);
        Ok(())
    }

    /// Loads the values and the end of a live session.
    pub(crate) async fn load_record(&self, id: &str) -> Result<Option<(Values, OffsetDateTime)>, Error> {
        let Some(loaded) = self.loaded(&self.key(id)?).await? else { return Ok(None) };
        let ends_at = loaded.expires_at.into();
        let values = loaded.into_values().map_err(|error| Error::corrupt(Unreadable(error.classify())))?;
        Ok(Some((values, ends_at)))
    }

    /// Makes the changes of this request to what is stored by now.
    pub(crate) async fn save_record(&self, id: &str, values: &Values, ends_at: OffsetDateTime) -> Result<(), Error> {
        let (key, ends_at) = (self.key(id)?, moment(ends_at));
        let Some(mut loaded) = Loaded::of(values) else { return self.replace(&key, values, ends_at).await };
        let changes = loaded.changes(values).map_err(unwritable)?;
        let owner_before = loaded.owner.clone();
        let owner = self.owner(values, loaded.owner.clone());
        if changes.is_empty() && owner == owner_before && ends_at >= loaded.expires_at {
            // Nothing is lost of a session that has ended meanwhile.
            return match self.store.touch(&key, ends_at).await {
                Err(Error::NotFound) => Ok(()),
                answer => answer,
            };
        }
        for _ in 0..ATTEMPTS {
            let mut record = Record::new(loaded::apply(&changes, &loaded.data), self.clock.now(), ends_at);
            // Who logged in meanwhile stays logged in, unless it is this request that says who it is.
            record.owner = if owner == owner_before { loaded.owner } else { owner.clone() };
            match self.store.update(&key, loaded.revision, &record).await {
                Err(Error::Conflict) => loaded = self.reload(&key).await?,
                answer => return answer.map(drop),
            }
        }
        Err(Error::Conflict)
    }

    /// Stores values that were cleared since they were loaded, or that come from somewhere else: as a whole.
    async fn replace(&self, key: &SessionKey, values: &Values, ends_at: Timestamp) -> Result<(), Error> {
        let data = loaded::data(values).map_err(unwritable)?;
        for _ in 0..ATTEMPTS {
            let loaded = self.reload(key).await?;
            let mut record = Record::new(data.clone(), self.clock.now(), ends_at);
            record.owner = self.owner(values, loaded.owner);
            match self.store.update(key, loaded.revision, &record).await {
                Err(Error::Conflict) => {}
                answer => return answer.map(drop),
            }
        }
        Err(Error::Conflict)
    }

    async fn reload(&self, key: &SessionKey) -> Result<Loaded, Error> {
        self.loaded(key).await?.ok_or(Error::NotFound)
    }

    async fn loaded(&self, key: &SessionKey) -> Result<Option<Loaded>, Error> {
        let loaded = self.store.load(key).await?;
        Ok(loaded.map(|(Record { expires_at, owner, data, .. }, revision)| Loaded {
            revision,
            expires_at,
            owner,
            data,
        }))
    }

    pub(crate) async fn delete_record(&self, id: &str) -> Result<(), Error> {
        self.store.delete(&self.key(id)?).await.map(drop)
    }

    /// Removes what has expired, in steps.
    pub(crate) async fn delete_expired_records(&self) -> Result<(), Error> {
        const STEP: u32 = 1000;
        while self.store.delete_expired(STEP).await? == STEP {}
        Ok(())
    }

    fn key(&self, id: &str) -> Result<SessionKey, Error> {
        self.key_of(id).map_err(Error::backend)
    }

    fn owner(&self, values: &Values, stored: Option<OwnerId>) -> Option<OwnerId> {
        match &self.owner_of {
            Some(owner_of) => owner_of(values),
            None => stored,
        }
    }
}

/// The nearest end that can be stored.
fn moment(at: OffsetDateTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(if at < OffsetDateTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX })
}

fn unwritable(cause: impl Into<BoxError>) -> Error {
    Error::backend(cause)
}

/// The stored object holds what a tree of JSON values cannot. The parser's own words could quote it.
#[derive(Debug)]
struct Unreadable(serde_json::error::Category);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored values cannot be read as a tree of json values: {:?}", self.0)
    }
}

impl std::error::Error for Unreadable {}

impl<S: fmt::Debug> fmt::Debug for TowerSessionsStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSessionsStore")
            .field("store", &self.store)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
