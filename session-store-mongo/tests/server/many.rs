//! What calls about many records cost the server, by its profiler.

use mongodb::Database;
use mongodb::bson::{DateTime, Document, doc};
use session_core::{BoxError, OwnerId, Scope, SessionIndex, SessionStore};

use crate::refusals::on_server;

const MANY: i64 = 5_000;

/// Plants records that end at a time, without the store: it is quicker.
async fn plant(database: &Database, name: &str, end: DateTime) -> Result<(), BoxError> {
    let documents = (0..MANY).map(|number| {
        doc! {
            "key": format!("{name}-{number}"), "format": 1, "revision": number, "owner": name, "data": "{}",
            "created_at": DateTime::now(), "expires_at": end, "sweep_at": end,
        }
    });
    database.collection::<Document>("session_records").insert_many(documents).await?;
    Ok(())
}

/// What the server noted of the commands since the last time.
async fn noted(database: &Database) -> Result<Vec<Document>, BoxError> {
    database.run_command(doc! { "profile": 0 }).await?;
    let profile = database.collection::<Document>("system.profile");
    let mut cursor = profile.find(doc! { "ns": format!("{}.session_records", database.name()) }).await?;
    let mut noted = Vec::new();
    while cursor.advance().await? {
        noted.push(cursor.deserialize_current()?);
    }
    profile.drop().await?;
    database.run_command(doc! { "profile": 2 }).await?;
    Ok(noted)
}

fn most(noted: &[Document], field: &str) -> i64 {
    let number = |note: &Document| note.get(field).and_then(|value| value.as_i64().or(value.as_i32().map(i64::from)));
    noted.iter().filter_map(number).max().unwrap_or_default()
}

pub(crate) fn steps(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        store.setup().await?;
        let later = DateTime::from_millis(4_102_444_800_000);
        let ada: OwnerId = "ada".parse()?;
        plant(&database, "ada", later).await?;
        plant(&database, "bob", later).await?;
        drop(noted(&database).await?);

        let count = store.count(Scope::All).await?;
        let cost = noted(&database).await?;
        let read = most(&cost, "docsExamined");
        if count != 2 * MANY as u64 || read > 0 || cost.is_empty() {
            return Err(format!("a count of {count} reads {read} documents, in {} commands", cost.len()).into());
        }

        let ended = store.delete_owned(&ada, None).await?;
        let removed = most(&noted(&database).await?, "ndeleted");
        if ended != MANY as u64 || removed > 1_001 {
            return Err(format!("{ended} ended, {removed} of them in one command").into());
        }
        let ended = store.clear().await?;
        let removed = most(&noted(&database).await?, "ndeleted");
        if ended != MANY as u64 || removed > 1_001 {
            return Err(format!("{ended} cleared, {removed} of them in one command").into());
        }

        // The server's own expiry would take them within a minute.
        let now = DateTime::from_millis(DateTime::now().timestamp_millis() - 1_000);
        plant(&database, "past", now).await?;
        plant(&database, "past-too", now).await?;
        drop(noted(&database).await?);
        let swept = store.delete_expired(u32::MAX).await?;
        let cost = noted(&database).await?;
        let (removed, read) = (most(&cost, "ndeleted"), most(&cost, "keysExamined"));
        if swept != 2 * MANY as u32 || removed > 1_000 || read > 12_000 {
            return Err(format!("{swept} swept, {removed} of them in one command, that read {read} keys").into());
        }
        Ok(())
    })
}
