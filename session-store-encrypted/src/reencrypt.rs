//! Bulk re-encryption: everything under the first key, page by page.

use session_core::{Cursor, Error, Page, Result, Scope, SessionIndex, SessionKey};

use crate::EncryptedStore;

/// What one page of [`EncryptedStore::reencrypt`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reencryption {
    /// How many sessions were written again.
    pub rewritten: u64,
    /// How many were already stored as they would be stored today: under the first key, with the owner as it is configured.
    pub current: u64,
    /// How many were written or ended by somebody else meanwhile. What is written by a store with the new keys is
    /// under the first key.
    pub overtaken: u64,
    /// How many do not open. They were left as they are; without the old key they never will.
    pub unreadable: u64,
    /// The sessions whose data, encrypted, the inner store does not accept ([`inner_limit`](crate::inner_limit) says how much it
    /// should). They were left as they are, under their old key or in the clear.
    pub too_large: Vec<SessionKey>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

enum Outcome {
    Rewritten,
    Current,
    Overtaken,
    Unreadable,
    TooLarge,
}

impl<S: SessionIndex> EncryptedStore<S> {
    /// Writes the live sessions of one page again that are not under the first key, not blinded as configured, or in the clear
    /// ([where that is accepted](EncryptedStore::accepting_plaintext_during_migration)).
    ///
    /// Data, owner and expiry stay as they are and the revision changes, so that a request which has loaded the session gets a
    /// [`Conflict`](Error::Conflict) and loads it again. A session that was written since it was loaded here is left alone.
    /// One exception: a touch that arrives between the load and the write of its session (a round trip) is lost, and the
    /// session ends as if that touch had not been made.
    ///
    /// Goes through the page one by one and stops at the first error of the backend; the page can then be done
    /// again. What the inner store refuses for its size stops nothing. All instances must have the new key in their lists before
    /// this begins.
    ///
    /// # Errors
    ///
    /// Those of the inner store's `list`, `load` and `update`, but for those that are counted; and [`Backend`](Error::Backend) if the operating
    /// system gives no random bytes.
    pub async fn reencrypt(&self, page: &Page) -> Result<Reencryption> {
        let listing = self.inner.list(Scope::All, page).await?;
        let mut done = Reencryption {
            rewritten: 0,
            current: 0,
            overtaken: 0,
            unreadable: 0,
            too_large: Vec::new(),
            next: listing.next,
        };
        for session in listing.sessions {
            match self.reencrypt_one(&session.key).await? {
                Outcome::Rewritten => done.rewritten += 1,
                Outcome::Current => done.current += 1,
                Outcome::Overtaken => done.overtaken += 1,
                Outcome::Unreadable => done.unreadable += 1,
                Outcome::TooLarge => done.too_large.push(session.key),
            }
        }
        Ok(done)
    }

    async fn reencrypt_one(&self, key: &SessionKey) -> Result<Outcome> {
        let (stored, revision) = match self.inner.load(key).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Ok(Outcome::Overtaken),
            Err(Error::Corrupt(_)) => return Ok(Outcome::Unreadable),
            Err(error) => return Err(error),
        };
        let opened = match self.sealer.open(key, stored) {
            Ok(opened) => opened,
            Err(Error::Corrupt(_)) => return Ok(Outcome::Unreadable),
            Err(error) => return Err(error),
        };
        if opened.is_current {
            return Ok(Outcome::Current);
        }
        // The limit of this store is for what is new; what was accepted once is written again.
        let sealed = self.sealer.seal(key, &opened.record)?;
        match self.inner.update(key, revision, &sealed).await {
            Ok(_) => Ok(Outcome::Rewritten),
            Err(Error::Conflict | Error::NotFound) => Ok(Outcome::Overtaken),
            Err(Error::TooLarge { .. }) => Ok(Outcome::TooLarge),
            Err(error) => Err(error),
        }
    }
}
