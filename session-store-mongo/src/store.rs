//! The seven calls.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mongodb::action::Find;
use mongodb::bson::{Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, Hint, ReadConcern, ReadPreference, SelectionCriteria,
    WriteConcern,
};
use mongodb::{Client, Collection, Database, ServerType};
use session_core::{Clock, Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::collection::{self, InvalidCollection};
use crate::document::{self, Stored};
use crate::driver::{Driver, Kind};
use crate::error::MongoCause;
use crate::setup::KEY_INDEX;

/// How long a call waits for the server when nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The database of options that name none.
const DATABASE: &str = "sessions";

/// The collection when nobody says otherwise. (Other programs that keep sessions call theirs `sessions`.)
const COLLECTION: &str = "session_records";

/// Keeps sessions in one collection of a MongoDB database. A clone is a second handle of the same store.
///
/// The collection is the namespace: it is called `session_records` until [`with_collection`](MongoStore::with_collection) says
/// otherwise, and [`setup`](MongoStore::setup) creates it. Each of the seven calls is one command that finds, decides and
/// writes one document, and a second one where that refuses; the same on a standalone server and on a replica set.
///
/// Whatever the options say, a write is acknowledged by the majority of a replica set's members, in their
/// journals, and the primary is read: what was acknowledged survives the loss of any minority, and is seen at once.
///
/// The driver runs on two threads of the store's own, which end some time after the last clone is dropped. So a store can be used
/// from any number of runtimes.
#[derive(Clone)]
pub struct MongoStore {
    driver: Arc<Driver>,
    collection: Arc<str>,
    timeout: Duration,
    options: StoreOptions,
}

impl MongoStore {
    /// Makes a store of the server or servers that a URL names, in its database, or in one of the name `sessions`. Waits for no
    /// server, and for the DNS only if the URL begins with `mongodb+srv`.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](MongoStore::parse) and of [`new`](MongoStore::new).
    pub async fn open(url: &str) -> Result<Self> {
        Self::new(Self::parse(url).await?)
    }

    /// Reads a URL, with errors that show nothing of it, as it may hold a password.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) if it is not one of MongoDB; [`Unavailable`](Error::Unavailable) if the DNS does not answer.
    pub async fn parse(url: &str) -> Result<ClientOptions> {
        use mongodb::error::ErrorKind;
        ClientOptions::parse(url).await.map_err(|error| match *error.kind {
            ErrorKind::DnsResolve { .. } => MongoCause::from(error).into(),
            _ => MongoCause::url().into(),
        })
    }

    /// Makes a store of the driver's options, in their default database, or in one of the name `sessions`. Waits for no server.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) if the options contradict each other, or name certificates that cannot be read.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let driver = Arc::new(Driver::start(options)?);
        Ok(Self { driver, collection: COLLECTION.into(), timeout: TIMEOUT, options: StoreOptions::default() })
    }

    /// Sets the collection that this handle, and the clones made from it, own.
    ///
    /// # Errors
    ///
    /// [`InvalidCollection`] for what cannot be the name of a collection (`NAMESPACE-02`).
    pub fn with_collection(mut self, name: &str) -> Result<Self, InvalidCollection> {
        self.collection = collection::check(name, self.database())?.into();
        Ok(self)
    }

    /// Sets the clock that decides whether a session is live, for this handle and the clones made from it.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the most bytes of data that a record may have, for this handle and the clones made from it (`DATA-02`).
    ///
    /// MongoDB takes no document of more than 16 MiB.
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.options.max_data_bytes = bytes;
        self
    }

    /// Sets how long a round trip may take before the call is refused with [`Unavailable`](Error::Unavailable): 5 seconds,
    /// when nothing is said. The server is told to stop then too.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn database(&self) -> &str {
        self.driver.options().default_database.as_deref().unwrap_or(DATABASE)
    }

    /// Makes a round trip (`OUTAGE-01`), with the time at which it begins.
    pub(crate) async fn ask<T, F>(
        &self,
        kind: Kind<'_>,
        command: impl FnOnce(Sessions) -> F + Send + 'static,
    ) -> Result<T, MongoCause>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, MongoCause>> + Send + 'static,
    {
        self.ask_for(kind, self.timeout, self.timeout, command).await
    }

    /// Writes what is live. If another program holds it, the server gives up after a while and has written nothing; then the time
    /// is asked anew, as the record may have expired while it was held (`HELD-01`).
    ///
    /// The server's limit is of its wait for the majority too, when it has written: then the majority is asked for the `proof`.
    async fn write_live<F>(
        &self,
        key: &SessionKey,
        proof: Document,
        command: impl FnOnce(Sessions) -> F + Clone + Send + 'static,
    ) -> Result<Option<Stored>, MongoCause>
    where
        F: Future<Output = Result<Option<Stored>, MongoCause>> + Send + 'static,
    {
        let begin = Instant::now();
        let rest = || self.timeout.saturating_sub(begin.elapsed());
        let refused = loop {
            let limit = rest().min(self.timeout / 10);
            match self.ask_for(Kind::WriteOf(key), rest(), limit, command.clone()).await {
                Err(cause) if cause.has_written_nothing() && !rest().is_zero() => {}
                Err(cause) if cause.waits_for_majority() => break cause,
                answer => return answer,
            }
        };
        while !rest().is_zero() {
            let proof = proof.clone();
            let kept = self.ask_for(Kind::Any, rest(), rest(), move |sessions| async move {
                let find = sessions.collection.find_one(proof).read_concern(ReadConcern::majority());
                Ok(find.projection(doc! { "_id": 1 }).max_time(sessions.limit).await?)
            });
            if let Some(kept) = kept.await? {
                return Ok(Some(kept));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(refused)
    }

    async fn ask_for<T, F>(
        &self,
        kind: Kind<'_>,
        timeout: Duration,
        limit: Duration,
        command: impl FnOnce(Sessions) -> F + Send + 'static,
    ) -> Result<T, MongoCause>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, MongoCause>> + Send + 'static,
    {
        let (database, collection) = (self.database().to_owned(), Arc::clone(&self.collection));
        let (clock, majority) = (Arc::clone(&self.options.clock), self.timeout);
        let is_direct = self.driver.options().direct_connection == Some(true);
        let begin = move |client: Client| {
            let database = client.database(&database);
            let collection = open(&database, &collection, is_direct, majority);
            // A limit of 0 would be none.
            command(Sessions { database, collection, now: clock.now(), limit: limit.max(Duration::from_millis(1)) })
        };
        self.driver.run(timeout, kind, begin).await
    }

    /// Writes `record` under `new` into the document that is live under `old`, if it has the expected revision.
    ///
    /// One command: the server finds the document, compares and writes under the document's lock. The index refuses a `new` that
    /// is taken. A driver that lost the answer asks again, and a replica set gives the same one again. Where nothing is found, a
    /// look says what is wrong: a revision never comes back, so nothing in between can make the refusal a wrong one.
    async fn replace(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Result<Revision, Taken>> {
        let fresh = Revision::fresh();
        let (key, change) = (old.clone(), document::successor(new, fresh, record));
        let proof = document::written_as(new, fresh);
        let written = self.write_live(old, proof, move |sessions| async move {
            let update =
                sessions.collection.find_one_and_update(document::at_revision(&key, expected, sessions.now), change);
            Ok(update.hint(key_index()).projection(doc! { "_id": 1 }).max_time(sessions.limit).await?)
        });
        match written.await {
            Ok(Some(_)) => Ok(Ok(fresh)),
            Ok(None) => self.look(old, Some(expected)).await.and(Err(Error::Conflict)),
            Err(cause) if cause.is_duplicate_key() => Ok(Err(Taken)),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Refuses a key whose record is not live, cannot be read, or is not at a revision, in this order (`ROTATE-09`).
    async fn look(&self, key: &SessionKey, expected: Option<Revision>) -> Result<()> {
        let key = key.clone();
        let found = self.ask(Kind::Any, move |sessions| async move {
            let find = sessions.collection.find_one(document::unexpired_under(&key, sessions.now));
            Ok(find.projection(doc! { "format": 1, "revision": 1 }).max_time(sessions.limit).await?)
        });
        let revision = found.await?.ok_or(Error::NotFound)?.revision()?;
        if expected.is_some_and(|expected| expected != revision) { Err(Error::Conflict) } else { Ok(()) }
    }
}

/// The collection at the moment at which a command is sent, and how long it may take.
pub(crate) struct Sessions {
    pub(crate) database: Database,
    pub(crate) collection: Collection<Stored>,
    pub(crate) now: Timestamp,
    pub(crate) limit: Duration,
}

impl Sessions {
    /// Waits for everything that is found.
    pub(crate) async fn collect(&self, find: Find<'_, Stored>) -> Result<Vec<Stored>, MongoCause> {
        let mut cursor = find.await?;
        let mut found = Vec::new();
        while cursor.advance().await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }
}

/// The new key of a rotation has a record, live or expired.
struct Taken;

fn open(database: &Database, name: &str, is_direct: bool, timeout: Duration) -> Collection<Stored> {
    // To a server that is named alone the driver sends every read, whatever it has become.
    let writes = |kind| matches!(kind, ServerType::RsPrimary | ServerType::Standalone);
    let primary = if is_direct {
        SelectionCriteria::Predicate(Arc::new(move |server| writes(server.server_type())))
    } else {
        SelectionCriteria::ReadPreference(ReadPreference::Primary)
    };
    // The majority, in their journals; on a standalone server that is its own journal, which it would else not wait for.
    let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(timeout).build();
    let options = CollectionOptions::builder()
        .write_concern(durable)
        .read_concern(ReadConcern::local())
        .selection_criteria(primary)
        .build();
    database.collection_with_options(name, options)
}

fn key_index() -> Hint {
    Hint::Name(KEY_INDEX.into())
}

#[async_trait]
impl SessionStore for MongoStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let (under, document) = (key.clone(), document::fresh(key, fresh, record));
        // Replaces what has expired. Where nothing has, it inserts, and the index refuses if something is there. (A plain insert takes
        // the server less time, but cannot name the index: it would make a collection that was dropped anew, without it.)
        let written = self.ask(Kind::WriteOf(key), move |sessions| async move {
            let documents = sessions.collection.clone_with_type::<Document>();
            let replace = documents.find_one_and_replace(document::expired_under(&under, sessions.now), document);
            Ok(replace.upsert(true).hint(key_index()).projection(doc! { "_id": 1 }).max_time(sessions.limit).await?)
        });
        match written.await {
            Ok(_) => Ok(fresh),
            Err(cause) if cause.is_duplicate_key() => Err(Error::AlreadyExists),
            Err(cause) => Err(cause.into()),
        }
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let key = key.clone();
        let found = self.ask(Kind::Any, move |sessions| async move {
            // By the key and nothing else, for which servers have a short cut; the expiry is looked at here. What is live when the
            // command begins is not absent, even if the answer takes a while.
            let found = sessions.collection.find_one(document::under(&key)).max_time(sessions.limit).await?;
            Ok(found.filter(|stored| !stored.has_expired(sessions.now)))
        });
        found.await?.map(|stored| stored.record()).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        // A key that stays as it is cannot be taken.
        self.replace(key, expected, key, record).await?.map_err(|Taken| Error::Conflict)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let under = key.clone();
        let proof = document::lasting(key, expires_at);
        let written = self.write_live(key, proof, move |sessions| async move {
            let filter = document::known_under(&under, sessions.now);
            let update = sessions.collection.find_one_and_update(filter, document::later(expires_at));
            Ok(update.hint(key_index()).projection(doc! { "_id": 1 }).max_time(sessions.limit).await?)
        });
        // What is there and was not found has a format that is not known, or was not there yet.
        if written.await?.is_some() { Ok(()) } else { self.look(key, None).await.and(Err(Error::NotFound)) }
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        self.options.check_size(record)?;
        if old == new {
            return self.look(old, Some(expected)).await.and(Err(Error::AlreadyExists));
        }
        loop {
            if let Ok(revision) = self.replace(old, expected, new, record).await? {
                return Ok(revision);
            }
            // What has the new key may have expired (`ROTATE-08`); then it goes, and the rotation is tried again.
            let under = new.clone();
            let removed = self.ask(Kind::WriteOf(new), move |sessions| async move {
                let delete = sessions.collection.find_one_and_delete(document::expired_under(&under, sessions.now));
                Ok(delete.hint(key_index()).projection(doc! { "_id": 1 }).max_time(sessions.limit).await?)
            });
            if removed.await?.is_some() {
                continue;
            }
            // Others may have been there since: what is there now counts, and what is wrong with the old key first (`ROTATE-09`).
            match self.load(new).await {
                Ok(None) => {}
                Err(error @ Error::Unavailable(_)) => return Err(error),
                _ => return self.look(old, Some(expected)).await.and(Err(Error::AlreadyExists)),
            }
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let under = key.clone();
        let removed = self.ask(Kind::WriteOf(key), move |sessions| async move {
            let delete = sessions.collection.find_one_and_delete(document::under(&under));
            let found = delete.hint(key_index()).projection(doc! { "expires_at": 1 }).max_time(sessions.limit).await?;
            Ok(found.is_some_and(|stored| !stored.has_expired(sessions.now)))
        });
        Ok(removed.await?)
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.sweep(limit).await
    }
}

impl fmt::Debug for MongoStore {
    /// Shows no address and no credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("collection", &self.collection)
            .field("timeout", &self.timeout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
