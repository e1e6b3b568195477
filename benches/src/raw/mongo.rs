//! A collection whose `_id` is the key; writes acknowledged by the majority in their journals, as ours are.

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::{Client, Collection};
use serde::Deserialize;

use super::{Session, end, exactly_one, fresh_revision, now};
use crate::Outcome;
use crate::body::Body;
use crate::contestant::Contestant;

/// What comes back from a load.
#[derive(Debug, Deserialize)]
struct Stored {
    expires_at: DateTime,
    data: String,
}

/// The driver.
pub struct Mongo(Collection<Stored>);

impl Mongo {
    /// Connects; the URL says how durable writes are.
    pub async fn open(url: &str) -> Outcome<Self> {
        Ok(Self(Client::with_uri_str(url).await?.database("bench").collection("raw")))
    }
}

impl Contestant for Mongo {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let session = Session::fresh()?;
        let document = doc! {
            "_id": &*session.key, "revision": session.revision,
            "expires_at": DateTime::from_millis(end(0)), "data": &*body.text,
        };
        self.0.clone_with_type::<Document>().insert_one(document).await?;
        Ok(session)
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        let found = self.0.find_one(doc! { "_id": &*session.key }).await?;
        Ok(found.is_some_and(|stored| stored.expires_at.timestamp_millis() > now() && !stored.data.is_empty()))
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        let fresh = fresh_revision();
        let filter = doc! {
            "_id": &*session.key, "revision": session.revision, "expires_at": { "$gt": DateTime::from_millis(now()) },
        };
        let fields = doc! { "revision": fresh, "expires_at": DateTime::from_millis(end(0)), "data": &*body.text };
        let done = self.0.update_one(filter, doc! { "$set": fields }).await?;
        session.revision = fresh;
        exactly_one(done.matched_count)
    }

    async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        let filter = doc! { "_id": &*session.key, "expires_at": { "$gt": DateTime::from_millis(now()) } };
        let later: Bson = DateTime::from_millis(session.touch()).into();
        let done = self.0.update_one(filter, doc! { "$max": { "expires_at": later } }).await?;
        exactly_one(done.matched_count)
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        exactly_one(self.0.delete_one(doc! { "_id": session.key }).await?.deleted_count)
    }
}
