//! The store: seven calls.

use async_trait::async_trait;

use crate::{Record, Result, Revision, SessionKey, Timestamp};

/// Keeps sessions. Seven calls, none with a default body; what each one promises is the [contract](crate::contract).
///
/// A record is *live* while it is stored and the store's clock says `now < expires_at`. A store is used through a
/// shared reference by many tasks at once, on several handles and from several processes. Every call decides and
/// writes in one step: two calls that race have the same outcome as the same calls one after the other.
///
/// A future that is dropped leaves the old record or the new one, and the store usable (`CANCEL-01`).
///
/// # Errors
///
/// All calls may refuse with [`Unavailable`](crate::Error::Unavailable) if no answer came in time, the connection was
/// lost or the backend accepts no writes, and with [`Backend`](crate::Error::Backend) if it refuses in a way that a
/// retry does not cure; those that take a record, with [`TooLarge`](crate::Error::TooLarge) if its data is larger than
/// the store accepts, and then nothing is written. A write that is `Unavailable` may have been made all the same. What
/// else a call refuses with is said there.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Stores a new record and returns its revision. Replaces a record that expired and was not swept.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if the key is live; that record is left alone.
    #[doc(alias = "insert")]
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision>;

    /// Returns the live record and its revision, or `None` if nothing live is stored under the key.
    ///
    /// Stores nothing.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::Error::Corrupt) if what is stored cannot be read; it stays stored.
    #[doc(alias = "get")]
    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>>;

    /// Replaces data, owner and expiry of a live record and returns the new revision. Never inserts.
    ///
    /// Keeps the stored `created_at` and `deadline`.
    ///
    /// # Errors
    ///
    /// In this order: [`NotFound`](crate::Error::NotFound) if the key is not live, [`Conflict`](crate::Error::Conflict)
    /// if the stored revision is not `expected`. The record is as it was.
    #[doc(alias = "save")]
    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision>;

    /// Moves the expiry of a live record later; an earlier `expires_at` changes nothing and is no error.
    ///
    /// Data, owner and revision stay as they are.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::Error::NotFound) if the key is not live: a touch never revives.
    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()>;

    /// Moves a live record to a new key in one step, with the data, owner and expiry of `record`; `old` is dead.
    ///
    /// Keeps the stored `created_at` and `deadline` and returns the new revision.
    ///
    /// # Errors
    ///
    /// In this order: [`NotFound`](crate::Error::NotFound) if `old` is not live, [`Conflict`](crate::Error::Conflict)
    /// if its revision is not `expected`, [`AlreadyExists`](crate::Error::AlreadyExists) if `new` is live (`old` itself
    /// included). With each of them, both keys are as they were.
    #[doc(alias = "cycle_id")]
    #[doc(alias = "regenerate")]
    #[doc(alias = "renew")]
    async fn rotate(&self, old: &SessionKey, expected: Revision, new: &SessionKey, record: &Record)
    -> Result<Revision>;

    /// Removes whatever is stored under the key, live, expired or unreadable, and says whether it was live.
    ///
    /// Nothing of the record remains in the backend. Deleting what is not there is fine, and `false`. Format and expiry
    /// decide, where they can be read; whether the rest is damaged is not looked at.
    ///
    /// # Errors
    ///
    /// Only those that all calls have.
    #[doc(alias = "destroy")]
    #[doc(alias = "invalidate")]
    async fn delete(&self, key: &SessionKey) -> Result<bool>;

    /// Removes at most `limit` expired records and returns how many it removed.
    ///
    /// Decides again at the moment of deletion, so that a record renewed meanwhile survives. Fewer than `limit`
    /// means that there were no more, unless other calls were at work on expired records at the same time.
    /// [`Sweeper`](crate::Sweeper) makes this call every so often.
    ///
    /// # Errors
    ///
    /// Only those that all calls have; what was removed before stays removed.
    #[doc(alias = "cleanup")]
    #[doc(alias = "clearsessions")]
    #[doc(alias = "prune")]
    async fn delete_expired(&self, limit: u32) -> Result<u32>;
}
