//! The store: seven calls.

use async_trait::async_trait;

use crate::{Record, Result, Revision, SessionKey, Timestamp};

/// Keeps sessions. Seven calls, none with a default body; what each one promises is the [contract](crate::contract).
///
/// A record is *live* while it is stored and the store's clock says `now < expires_at`. A store is used through a
/// shared reference by many tasks at once, on several handles and from several processes. Every call decides and
/// writes in one step: two calls that race have the same outcome as the same calls one after the other.
///
/// All calls may refuse with [`Unavailable`](crate::Error::Unavailable) or [`Backend`](crate::Error::Backend);
/// those that take a record, with [`TooLarge`](crate::Error::TooLarge). A future that is dropped leaves the old record
/// or the new one, and the store usable (`CANCEL-01`).
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Stores a new record and returns its revision. Replaces a record that expired and was not swept.
    ///
    /// Refuses with [`AlreadyExists`](crate::Error::AlreadyExists) if the key is live, and leaves that record alone.
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision>;

    /// Returns the live record and its revision, or `None` if nothing live is stored under the key.
    ///
    /// Stores nothing. Refuses with [`Corrupt`](crate::Error::Corrupt) if what is stored cannot be read; it stays stored.
    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>>;

    /// Replaces data, owner and expiry of a live record and returns the new revision. Never inserts.
    ///
    /// Keeps the stored `created_at` and `deadline`. Refuses with [`NotFound`](crate::Error::NotFound) if the key is not
    /// live, else with [`Conflict`](crate::Error::Conflict) if the stored revision is not `expected`.
    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision>;

    /// Moves the expiry of a live record later; an earlier `expires_at` changes nothing and is no error.
    ///
    /// Data, owner and revision stay as they are. Refuses with [`NotFound`](crate::Error::NotFound) if the key is not
    /// live: a touch never revives.
    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()>;

    /// Moves a live record to a new key in one step, with the data, owner and expiry of `record`; `old` is dead.
    ///
    /// Keeps the stored `created_at` and `deadline` and returns the new revision. Refuses, in this order, with
    /// [`NotFound`](crate::Error::NotFound) if `old` is not live, [`Conflict`](crate::Error::Conflict) if its
    /// revision is not `expected`, [`AlreadyExists`](crate::Error::AlreadyExists) if `new` is live (`old` itself
    /// included). Whatever it refuses with, both keys are as they were.
    async fn rotate(&self, old: &SessionKey, expected: Revision, new: &SessionKey, record: &Record)
    -> Result<Revision>;

    /// Removes whatever is stored under the key, live, expired or unreadable, and says whether it was live.
    ///
    /// Nothing of the record remains in the backend. Deleting what is not there is fine, and `false`. Format and expiry
    /// decide, where they can be read; whether the rest is damaged is not looked at.
    async fn delete(&self, key: &SessionKey) -> Result<bool>;

    /// Removes at most `limit` expired records and returns how many it removed.
    ///
    /// Decides again at the moment of deletion, so that a record renewed meanwhile survives. Fewer than `limit`
    /// means that there were no more, unless other calls were at work on expired records at the same time.
    async fn delete_expired(&self, limit: u32) -> Result<u32>;
}
