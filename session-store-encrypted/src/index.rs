//! The index: owners are blinded on the way in, and shown as they are on the way out.
#![deny(clippy::missing_trait_methods)]

use async_trait::async_trait;
use session_core::{Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionInfo, SessionKey};

use crate::EncryptedStore;

#[async_trait]
impl<S: SessionIndex> SessionIndex for EncryptedStore<S> {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        if self.sealer.blinding.is_none() {
            return self.inner.list(scope, page).await;
        }
        if let Scope::Owner(owner) = scope {
            let stored = self.sealer.stored_owner(owner)?;
            let mut listing = self.inner.list(Scope::Owner(&stored), page).await?;
            for session in &mut listing.sessions {
                session.owner = Some(owner.clone());
            }
            return Ok(listing);
        }
        let listing = self.inner.list(scope, page).await?;
        let mut sessions = Vec::with_capacity(listing.sessions.len());
        for session in listing.sessions {
            sessions.extend(self.with_real_owner(session).await?);
        }
        Ok(Listing::new(sessions, listing.next))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        match scope {
            Scope::Owner(owner) => self.inner.count(Scope::Owner(&*self.sealer.stored_owner(owner)?)).await,
            other => self.inner.count(other).await,
        }
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        self.inner.delete_owned(&*self.sealer.stored_owner(owner)?, except).await
    }

    async fn clear(&self) -> Result<u64> {
        self.inner.clear().await
    }
}

impl<S: SessionIndex> EncryptedStore<S> {
    /// Returns the session with the owner that is encrypted in its record, or nothing if it has ended meanwhile.
    ///
    /// A session that does not open is listed as it is stored, so that it can be seen and deleted.
    async fn with_real_owner(&self, session: SessionInfo) -> Result<Option<SessionInfo>> {
        if session.owner.is_none() {
            return Ok(Some(session));
        }
        let loaded = match self.inner.load(&session.key).await {
            Ok(Some((stored, _))) => self.sealer.open(&session.key, stored).map(|opened| opened.record),
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        match loaded {
            Ok(record) => Ok(Some(SessionInfo::of(&session.key, &record))),
            Err(Error::Corrupt(_)) => Ok(Some(session)),
            Err(error) => Err(error),
        }
    }
}
