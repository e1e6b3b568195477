//! What the server goes by when it removes what nobody swept.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use session_core::{BoxError, Clock, SessionKey, SessionStore, SystemClock};

use crate::refusals::{on_server, record};

/// A record may be removed a day after its `sweep_at`, which no write may leave behind.
pub(crate) fn places(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        store.setup().await?;
        let documents = database.collection::<Document>("session_records");
        let place = async || {
            let stored = documents.find_one(doc! {}).await?.ok_or("there is a document")?;
            let (place, end) = (stored.get_datetime("sweep_at")?, stored.get_datetime("expires_at")?);
            let early = end.timestamp_millis() - place.timestamp_millis();
            if (0..10_000).contains(&early) { Ok(*place) } else { Err(BoxError::from(format!("{early} ms early"))) }
        };
        let (key, new, record) = (SessionKey::parse("k")?, SessionKey::parse("new")?, record()?);
        let ends = |hours: u64| SystemClock.now().saturating_add(Duration::from_secs(hours * 3600));
        let revision = store.create(&key, &record).await?;
        let mut places = vec![place().await?];
        store.touch(&key, ends(48)).await?;
        places.push(place().await?);
        // An earlier end moves it back.
        let mut shorter = record.clone();
        shorter.expires_at = ends(24);
        let revision = store.update(&key, revision, &shorter).await?;
        places.push(place().await?);
        let mut longer = record.clone();
        longer.expires_at = ends(72);
        store.rotate(&key, revision, &new, &longer).await?;
        places.push(place().await?);
        if !(places[0] < places[2] && places[2] < places[1] && places[1] < places[3]) {
            return Err(format!("the places do not follow the ends: {places:?}").into());
        }
        let index = documents.list_index_names().await?;
        if index.iter().any(|name| name == "session_sweep") { Ok(()) } else { Err(format!("{index:?}").into()) }
    })
}
