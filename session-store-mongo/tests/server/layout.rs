//! What stands where the records should be: nothing, another program's documents, an older or newer layout; and a collection that is
//! dropped below a running store.

use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use session_core::{BoxError, Error, LayoutError, SessionIndex, SessionKey, SessionStore};

use crate::refusals::{on_server, record};

fn refuses_with(wanted: &LayoutError, answer: &Result<(), Error>) -> Result<(), BoxError> {
    let found = answer.as_ref().err().and_then(Error::layout);
    if found == Some(wanted) { Ok(()) } else { Err(format!("{wanted:?} is wanted, not {answer:?}").into()) }
}

/// `sessions.drop()` while the store is used.
pub(crate) fn dropped(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        store.setup().await?;
        let (key, record) = (SessionKey::parse("k")?, record()?);
        store.create(&key, &record).await?;
        database.collection::<Document>("session_records").drop().await?;
        let created = [store.create(&key, &record).await.is_ok(), store.create(&key, &record).await.is_ok()];
        if created != [false, false] {
            return Err(format!("creates under one key in a collection without its index: {created:?}").into());
        }
        if store.load(&key).await?.is_some() {
            return Err("what was dropped is live".into());
        }
        // (What was refused may have made it anew, empty.)
        if store.verify().await.is_ok() {
            return Err("a collection without its indexes is verified".into());
        }
        store.setup().await?;
        store.create(&key, &record).await?;
        if store.delete(&key).await? { Ok(()) } else { Err("the logout ended nothing".into()) }
    })
}

/// Another program's sessions, as connect-mongo keeps them, in the collection of either name.
pub(crate) fn foreign(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        let sessions = database.collection::<Document>("sessions");
        let theirs = |id: &str| doc! { "_id": id, "expires": mongodb::bson::DateTime::now(), "session": "{}" };
        sessions.insert_one(theirs("a")).await?;
        // The default name is not theirs.
        store.setup().await?;
        sessions.insert_one(theirs("b")).await?;
        let shared = store.clone().with_collection("sessions")?;
        refuses_with(&LayoutError::Foreign, &shared.setup().await)?;
        refuses_with(&LayoutError::Foreign, &shared.verify().await)?;
        drop((shared.clear().await, shared.delete_expired(10).await));
        // One that came later, where ours are.
        let ours = database.collection::<Document>("session_records");
        ours.insert_one(theirs("a")).await?;
        store.create(&SessionKey::parse("k")?, &record()?).await?;
        let cleared = store.clear().await?;
        let left = (sessions.count_documents(doc! {}).await?, ours.count_documents(doc! {}).await?);
        if (cleared, left) == (1, (2, 1)) { Ok(()) } else { Err(format!("cleared {cleared}, left {left:?}").into()) }
    })
}

pub(crate) fn verified(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        refuses_with(&LayoutError::Absent, &store.verify().await)?;
        store.setup().await?;
        store.verify().await?;
        let documents = database.collection::<Document>("session_records");
        store.create(&SessionKey::parse("k")?, &record()?).await?;
        documents.drop_index("session_owner").await?;
        refuses_with(&LayoutError::Incomplete { part: "the index session_owner".into() }, &store.verify().await)?;
        store.setup().await?;
        // Without the index of keys the documents say whose they are.
        documents.drop_indexes().await?;
        store.setup().await?;
        store.verify().await?;
        // The same name, and another index.
        documents.drop_index("session_sweep").await?;
        let named = IndexOptions::builder().name("session_sweep".to_owned()).build();
        documents.create_index(IndexModel::builder().keys(doc! { "sweep_at": 1 }).options(named).build()).await?;
        refuses_with(&LayoutError::Incomplete { part: "the index session_sweep".into() }, &store.setup().await)?;
        // A later version's.
        documents.drop_indexes().await?;
        let named = IndexOptions::builder().name("session_key_v2".to_owned()).unique(true).build();
        documents.create_index(IndexModel::builder().keys(doc! { "key": 1 }).options(named).build()).await?;
        refuses_with(&LayoutError::Newer { found: 2, known: 1 }, &store.setup().await)?;
        let created = store.create(&SessionKey::parse("new")?, &record()?).await;
        if matches!(created, Err(Error::Backend(_))) { Ok(()) } else { Err(format!("{created:?}").into()) }
    })
}
