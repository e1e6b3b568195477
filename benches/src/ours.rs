//! Our stores.

use std::sync::Arc;

use session_core::{Clock, Record, Revision, SessionId, SessionIndex, SessionKey, SystemClock, Timestamp};

use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// Any store of ours, behind the trait object that an application has.
pub struct Ours(pub Arc<dyn SessionIndex>);

/// A session of ours, as a request knows it.
pub struct Session {
    key: SessionKey,
    revision: Revision,
    created_at: Timestamp,
    /// Every touch is a little later than the one before, or it would change nothing.
    touches: u32,
}

/// Returns a key that nobody has.
pub fn fresh_key() -> Outcome<SessionKey> {
    Ok(SessionKey::derive("bench", &SessionId::generate()?))
}

/// Returns a record with this body.
pub fn record(body: &Body) -> Record {
    let now = SystemClock.now();
    Record::new(body.data.clone(), now, now.saturating_add(LIFETIME))
}

impl Contestant for Ours {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let (key, record) = (fresh_key()?, record(body));
        let revision = self.0.create(&key, &record).await?;
        Ok(Session { key, revision, created_at: record.created_at, touches: 0 })
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        Ok(self.0.load(&session.key).await?.is_some())
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        // What a request has loaded, with other data and another expiry.
        let mut record = record(body);
        record.created_at = session.created_at;
        session.revision = self.0.update(&session.key, session.revision, &record).await?;
        Ok(())
    }

    async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        session.touches += 1;
        let expires_at =
            SystemClock.now().saturating_add(LIFETIME + std::time::Duration::from_millis(session.touches.into()));
        Ok(self.0.touch(&session.key, expires_at).await?)
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        if self.0.delete(&session.key).await? { Ok(()) } else { Err("the session was not there".into()) }
    }
}
