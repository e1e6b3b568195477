//! saysion. What it cannot touch, it saves.

use std::time::Duration;

use saysion::SessionStore;

use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// A store of saysion.
pub struct Saysion<S>(pub S);

/// A cookie and the session as a request has loaded it.
pub struct Session {
    cookie: String,
    session: saysion::Session,
}

impl<S: SessionStore + Send + Sync + 'static> Contestant for Saysion<S> {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let mut session = saysion::Session::new();
        session.expire_in(LIFETIME);
        for (name, text) in &body.texts {
            session.insert_raw(name, text.clone());
        }
        let kept = session.clone();
        let cookie = self.0.store_session(session).await?.ok_or("there is no cookie")?;
        Ok(Session { cookie, session: kept })
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        Ok(self.0.load_session(session.cookie.clone()).await?.is_some())
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        let mut changed = session.session.clone();
        if let Some((name, text)) = body.texts.iter().next() {
            changed.insert_raw(name, text.clone());
        }
        changed.expire_in(LIFETIME + Duration::from_millis(1));
        self.0.store_session(changed).await?;
        Ok(())
    }

    async fn touch(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        self.update(session, body).await
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        Ok(self.0.destroy_session(session.session).await?)
    }
}
