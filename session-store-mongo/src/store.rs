//! The seven calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::{
    Acknowledgment, CollectionOptions, Hint, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Collection, Cursor, Database};
use session_core::{Clock, Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::collection::{self, InvalidCollection};
use crate::document::{self, Stored};
use crate::error::{is_duplicate_key, refusal};
use crate::setup;

/// How long a call waits for the server when nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps sessions in one collection of a MongoDB database. A clone is a second handle of the same store.
///
/// The collection is the namespace: it is called `sessions` until [`with_collection`](MongoStore::with_collection) says
/// otherwise, and [`setup`](MongoStore::setup) creates it. Each of the seven calls is one command that finds, decides and
/// writes one document, and a second one where that refuses; the same on a standalone server and on a replica set.
///
/// Whatever the client's own settings are, a write is acknowledged by the majority of a replica set's members, in their
/// journals, and the primary is read: what was acknowledged survives the loss of any minority, and is seen at once.
#[derive(Clone)]
pub struct MongoStore {
    database: Database,
    pub(crate) collection: Collection<Stored>,
    /// Whether a create has gone through the unique index, so that it is there.
    is_indexed: Arc<AtomicBool>,
    timeout: Duration,
    pub(crate) options: StoreOptions,
}

impl MongoStore {
    /// Makes a store in a database of the application's own client. Connects to nothing.
    pub fn new(database: Database) -> Self {
        let collection = open(&database, "sessions");
        Self { database, collection, is_indexed: Arc::default(), timeout: TIMEOUT, options: StoreOptions::default() }
    }

    /// Sets the collection that this handle, and the clones made from it, own.
    ///
    /// Refuses what cannot be the name of a collection: see [`InvalidCollection`] (`NAMESPACE-02`).
    pub fn with_collection(mut self, name: &str) -> Result<Self, InvalidCollection> {
        self.collection = open(&self.database, collection::check(name, self.database.name())?);
        self.is_indexed = Arc::default();
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
    /// when nothing is said. The client's own time-outs end a call earlier if they are shorter.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Creates the collection and its indexes where they are missing. May run any number of times, and in many processes
    /// at once (`PEER-02`); what is stored stays.
    ///
    /// Refuses with [`Backend`](Error::Backend) a collection that has a collation, is capped or is no collection, an index of
    /// the same name that is another one, and missing rights. A store writes nothing where the indexes are not there.
    pub async fn setup(&self) -> Result<()> {
        let filter = doc! { "name": self.collection.name() };
        let listed = async {
            let mut cursor = self.database.list_collections().filter(filter).batch_size(1).await?;
            let is_there = cursor.advance().await?;
            if is_there { cursor.deserialize_current().map(Some) } else { Ok(None) }
        };
        if let Some(existing) = self.within(listed).await? {
            setup::check(&existing)?;
        }
        self.within(self.collection.create_indexes(setup::indexes())).await.map(drop)
    }

    /// Waits for a round trip, for as long as it may take (`OUTAGE-01`): the driver alone may wait for half a minute.
    pub(crate) async fn within<T>(&self, call: impl IntoFuture<Output = mongodb::error::Result<T>>) -> Result<T> {
        self.answer(call).await?.map_err(refusal)
    }

    /// The same, for a call that looks at the driver's refusal itself.
    async fn answer<T>(&self, call: impl IntoFuture<Output = T>) -> Result<T> {
        tokio::time::timeout(self.timeout, call.into_future()).await.map_err(Error::unavailable)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.now()
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
        let filter = document::at_revision(old, expected, self.now());
        let update = self.collection.update_one(filter, document::successor(new, fresh, record)).hint(key_index());
        match self.answer(update).await? {
            Ok(done) if done.matched_count > 0 => Ok(Ok(fresh)),
            Ok(_) => self.look(old, expected).await.and(Err(Error::Conflict)),
            Err(error) if is_duplicate_key(&error) => Ok(Err(Taken)),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Refuses a key whose record is not live, or not at a revision, in this order (`ROTATE-09`).
    async fn look(&self, key: &SessionKey, expected: Revision) -> Result<()> {
        let find = self.collection.find_one(document::unexpired_under(key, self.now()));
        let found = self.within(find.projection(doc! { "format": 1, "revision": 1 })).await?.ok_or(Error::NotFound)?;
        if found.revision()? == expected { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Waits for everything that is found.
    pub(crate) async fn collect(
        &self,
        find: impl IntoFuture<Output = mongodb::error::Result<Cursor<Stored>>>,
    ) -> Result<Vec<Stored>> {
        let collected = async {
            let mut cursor = find.into_future().await?;
            let mut found = Vec::new();
            while cursor.advance().await? {
                found.push(cursor.deserialize_current()?);
            }
            Ok(found)
        };
        self.within(collected).await
    }
}

/// The new key of a rotation has a record, live or expired.
struct Taken;

fn open(database: &Database, name: &str) -> Collection<Stored> {
    let options = CollectionOptions::builder()
        .write_concern(write_concern())
        .read_concern(ReadConcern::local())
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build();
    database.collection_with_options(name, options)
}

/// The majority, in their journals; on a standalone server that is its own journal, which it would else not wait for.
fn write_concern() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

pub(crate) fn key_index() -> Hint {
    Hint::Name(setup::KEY_INDEX.into())
}

#[async_trait]
impl SessionStore for MongoStore {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        let fresh = Revision::fresh();
        let (collection, document) =
            (self.collection.clone_with_type::<Document>(), document::fresh(key, fresh, record));
        // Nearly always the key is free, and an insert takes the server half the time of what replaces or inserts. It cannot name
        // the index that refuses a key that is taken.
        if self.is_indexed.load(Ordering::Relaxed) {
            match self.answer(collection.insert_one(&document)).await? {
                Ok(_) => return Ok(fresh),
                Err(error) if is_duplicate_key(&error) => {}
                Err(error) => return Err(refusal(error)),
            }
        }
        // Replaces what has expired. Where nothing has, it inserts, and the index refuses if something is there.
        let filter = document::expired_under(key, self.now());
        match self.answer(collection.replace_one(filter, document).upsert(true).hint(key_index())).await? {
            Ok(_) => {
                self.is_indexed.store(true, Ordering::Relaxed);
                Ok(fresh)
            }
            Err(error) if is_duplicate_key(&error) => Err(Error::AlreadyExists),
            Err(error) => Err(refusal(error)),
        }
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        // What is live when the call begins is not absent, even if the answer takes a while.
        let now = self.now();
        // By the key and nothing else, for which servers have a short cut; the expiry is looked at here.
        let found = self.within(self.collection.find_one(document::under(key))).await?;
        found.filter(|stored| !stored.has_expired(now)).map(|stored| stored.record()).transpose()
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        self.options.check_size(record)?;
        // A key that stays as it is cannot be taken.
        self.replace(key, expected, key, record).await?.map_err(|Taken| Error::Conflict)
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let filter = document::unexpired_under(key, self.now());
        let update = self.collection.update_one(filter, document::later(expires_at)).hint(key_index());
        if self.within(update).await?.matched_count == 0 { Err(Error::NotFound) } else { Ok(()) }
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
            return self.look(old, expected).await.and(Err(Error::AlreadyExists));
        }
        loop {
            if let Ok(revision) = self.replace(old, expected, new, record).await? {
                return Ok(revision);
            }
            // What has the new key may have expired (`ROTATE-08`); then it goes, and the rotation is tried again.
            let filter = document::expired_under(new, self.now());
            if self.within(self.collection.delete_one(filter).hint(key_index())).await?.deleted_count > 0 {
                continue;
            }
            // Others may have been there since: what is there now counts, and what is wrong with the old key first (`ROTATE-09`).
            match self.load(new).await {
                Ok(None) => {}
                Err(error @ Error::Unavailable(_)) => return Err(error),
                _ => return self.look(old, expected).await.and(Err(Error::AlreadyExists)),
            }
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let now = self.now();
        let delete = self.collection.find_one_and_delete(document::under(key)).hint(key_index());
        let found = self.within(delete.projection(doc! { "format": 1, "expires_at": 1 })).await?;
        Ok(found.is_some_and(|stored| stored.is_live(now)))
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.sweep(limit).await
    }
}

impl fmt::Debug for MongoStore {
    /// Shows no address and no credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("collection", &self.collection.name())
            .field("timeout", &self.timeout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
