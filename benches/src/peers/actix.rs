//! actix-session with Redis.

use actix_session::storage::{RedisSessionStore, SessionKey, SessionStore};

use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// The store.
pub struct Actix(pub RedisSessionStore);

fn lifetime() -> actix_web::cookie::time::Duration {
    actix_web::cookie::time::Duration::seconds(i64::try_from(LIFETIME.as_secs()).unwrap_or_default())
}

impl Contestant for Actix {
    type Session = String;

    async fn create(&self, body: &Body) -> Outcome<String> {
        Ok(self.0.save(body.texts.clone(), &lifetime()).await?.into())
    }

    async fn load(&self, session: &String) -> Outcome<bool> {
        Ok(self.0.load(&key(session)?).await?.is_some())
    }

    async fn update(&self, session: &mut String, body: &Body) -> Outcome<()> {
        let kept: String = self.0.update(key(session)?, body.texts.clone(), &lifetime()).await?.into();
        if kept == *session { Ok(()) } else { Err("the session got another key".into()) }
    }

    async fn touch(&self, session: &mut String, _: &Body) -> Outcome<()> {
        Ok(self.0.update_ttl(&key(session)?, &lifetime()).await?)
    }

    async fn delete(&self, session: String) -> Outcome<()> {
        Ok(self.0.delete(&key(&session)?).await?)
    }
}

fn key(session: &str) -> Outcome<SessionKey> {
    session.to_owned().try_into().map_err(|_| "the key is too long".into())
}
