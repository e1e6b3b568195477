//! The store around a store: the seven calls.
//!
//! The lint makes the compiler complain when a call is added to the trait and forgotten here.
#![deny(clippy::missing_trait_methods)]

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use session_core::{Error, Record, Result, Revision, SessionKey, SessionStore, StoreOptions, Timestamp};

use crate::limit::outer_limit;
use crate::seal::Sealer;
use crate::{BlindingKey, EncryptionKeys};

/// Encrypts what a session holds before the store inside sees it, and decrypts what comes back.
///
/// It keeps the whole [contract](session_core::contract) if the store inside does, in as many round trips. The clock is the inner
/// store's, and times stay in the clear; so does the owner, unless it is [blinded](EncryptedStore::with_blinded_owners).
/// What does not open (no such key, changed, moved, in the clear) is [`Corrupt`](Error::Corrupt), with an
/// [`Unreadable`](crate::Unreadable) as its cause. A clone shares the keys and, if a clone of it does, the inner store.
///
/// The inner store must accept [`inner_limit`](crate::inner_limit) bytes of data; where it accepts less, what does not fit
/// is [`TooLarge`](Error::TooLarge).
pub struct EncryptedStore<S> {
    pub(crate) inner: S,
    pub(crate) sealer: Sealer,
    max_data_bytes: usize,
}

impl<S> EncryptedStore<S> {
    /// Puts encryption around a store. The namespace is bound into every record: choose a name of its own for every inner
    /// store that is used with these keys, and keep it, because under another one nothing opens.
    pub fn new(inner: S, namespace: &str, keys: EncryptionKeys) -> Self {
        let namespace = Arc::from(namespace);
        let sealer = Sealer { namespace, keys, blinding: None, accepts_plaintext: false, random: getrandom::fill };
        Self { inner, sealer, max_data_bytes: StoreOptions::DEFAULT_MAX_DATA_BYTES }
    }

    /// Sets the most bytes of data that a record may have in the clear, as the application counts them (`DATA-02`); 1 MiB by
    /// default.
    #[must_use]
    pub fn with_max_data_bytes(mut self, bytes: usize) -> Self {
        self.max_data_bytes = bytes;
        self
    }

    /// Lets the inner store see a keyed hash instead of the owner; the owner itself is encrypted with the data.
    ///
    /// Who can read the inner store still sees which sessions belong to one user, and not to whom. A listing of all sessions
    /// loads each session that has an owner, to show it. Sessions that were stored before, or with another blinding key, open
    /// as always, but are found under their owner only after [`reencrypt`](EncryptedStore::reencrypt) has gone
    /// through all of them: run it before anybody relies on ending the sessions of a user.
    #[must_use]
    pub fn with_blinded_owners(mut self, key: BlindingKey) -> Self {
        self.sealer.blinding = Some(key);
        self
    }

    /// Also loads records that are not encrypted, while a store that was used without encryption is brought over.
    ///
    /// As long as this is on, whoever can write to the inner store can make up sessions: the encryption proves nothing.
    /// [`reencrypt`](EncryptedStore::reencrypt) everything, then take it out. What is encrypted and does not open stays
    /// [`Corrupt`](Error::Corrupt), and so does data that has a key named `sealed`.
    #[must_use]
    pub fn accepting_plaintext_during_migration(mut self) -> Self {
        self.sealer.accepts_plaintext = true;
        self
    }

    /// Returns the inner store, to close it for instance. What it loads is encrypted.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn seal(&self, key: &SessionKey, record: &Record) -> Result<Record> {
        let size = record.data.as_str().len();
        if size > self.max_data_bytes {
            return Err(Error::TooLarge { size, limit: self.max_data_bytes });
        }
        self.sealer.seal(key, record)
    }
}

/// Gives the sizes of a refusal of the inner store as the caller counts: in the clear.
fn in_the_clear(error: Error, record: &Record) -> Error {
    match error {
        Error::TooLarge { limit, .. } => {
            Error::TooLarge { size: record.data.as_str().len(), limit: outer_limit(limit) }
        }
        other => other,
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for EncryptedStore<S> {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let sealed = self.seal(key, record)?;
        self.inner.create(key, &sealed).await.map_err(|error| in_the_clear(error, record))
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let Some((stored, revision)) = self.inner.load(key).await? else { return Ok(None) };
        Ok(Some((self.sealer.open(key, stored)?.record, revision)))
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let sealed = self.seal(key, record)?;
        self.inner.update(key, expected, &sealed).await.map_err(|error| in_the_clear(error, record))
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        self.inner.touch(key, expires_at).await
    }

    /// Encrypts for the new key: what was stored under the old one would not open there.
    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let sealed = self.seal(new, record)?;
        self.inner.rotate(old, expected, new, &sealed).await.map_err(|error| in_the_clear(error, record))
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.inner.delete(key).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.inner.delete_expired(limit).await
    }
}

// By hand, with `clone_from`, for the lint above.
impl<S: Clone> Clone for EncryptedStore<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), sealer: self.sealer.clone(), max_data_bytes: self.max_data_bytes }
    }

    fn clone_from(&mut self, source: &Self) {
        *self = source.clone();
    }
}

/// Shows how it is set up, without the keys and without the inner store.
impl<S> fmt::Debug for EncryptedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedStore")
            .field("sealer", &self.sealer)
            .field("max_data_bytes", &self.max_data_bytes)
            .finish_non_exhaustive()
    }
}
