//! Collections that cannot keep sessions.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Collation};
use mongodb::{Client, Database};
use session_core::{
    BoxError, Clock, Data, Error, Page, Record, Revision, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use session_store_mongo::MongoStore;

/// Runs a test in a database of its own, with the test's client and the store's options.
pub(crate) fn on_server<Fut>(url: &str, test: impl FnOnce(Database, MongoStore) -> Fut) -> Result<(), BoxError>
where
    Fut: Future<Output = Result<(), BoxError>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let name = format!("session_tests_{:x}", Revision::fresh().number());
        let mut options = ClientOptions::parse(url).await?;
        options.default_database = Some(name.clone());
        let database = Client::with_options(options.clone())?.database(&name);
        let outcome = test(database.clone(), MongoStore::new(options)?).await;
        database.drop().await?;
        outcome
    })
}

pub(crate) fn record() -> Result<Record, BoxError> {
    let now = SystemClock.now();
    Ok(Record::new(Data::parse("{}")?, now, now.saturating_add(Duration::from_secs(3600))))
}

fn fails_with_backend<T: std::fmt::Debug>(what: &str, answer: &Result<T, Error>) -> Result<(), BoxError> {
    if matches!(answer, Err(Error::Backend(_))) { Ok(()) } else { Err(format!("{what}: {answer:?}").into()) }
}

pub(crate) fn collation(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        let insensitive = Collation::builder().locale("en").strength(mongodb::options::CollationStrength::Secondary);
        database.create_collection("session_records").collation(insensitive.build()).await?;
        fails_with_backend("setup where case makes no difference", &store.setup().await)
    })
}

pub(crate) fn capped_and_view(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        database.create_collection("capped").capped(true).size(4096).await?;
        database.create_collection("view").view_on("capped").pipeline(Vec::<Document>::new()).await?;
        for name in ["capped", "view"] {
            let store = store.clone().with_collection(name)?;
            fails_with_backend(name, &store.setup().await)?;
        }
        Ok(())
    })
}

pub(crate) fn not_set_up(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        let key = SessionKey::parse("k")?;
        fails_with_backend("create", &store.create(&key, &record()?).await)?;
        fails_with_backend("create in a collection that is there", &store.create(&key, &record()?).await)?;
        fails_with_backend("update", &store.update(&key, Revision::fresh(), &record()?).await)?;
        fails_with_backend("touch", &store.touch(&key, record()?.expires_at).await)?;
        fails_with_backend("delete", &store.delete(&key).await)?;
        store.setup().await?;
        store.create(&key, &record()?).await?;
        // Documents of others, with the fields of ours.
        let (documents, ada) = (database.collection("others"), "ada".parse()?);
        documents.insert_one(doc! { "key": "k", "owner": "ada", "expires_at": mongodb::bson::DateTime::MIN }).await?;
        let others = store.with_collection("others")?;
        fails_with_backend("create in another collection", &others.create(&key, &record()?).await)?;
        fails_with_backend("delete_owned", &others.delete_owned(&ada, None).await)?;
        fails_with_backend("clear", &others.clear().await)?;
        others.delete_expired(10).await?;
        if documents.count_documents(doc! {}).await? == 1 { Ok(()) } else { Err("others' document is gone".into()) }
    })
}

pub(crate) fn planted(url: &str) -> Result<(), BoxError> {
    on_server(url, async |database, store| {
        store.setup().await?;
        let documents = database.collection::<Document>("session_records");
        let now = mongodb::bson::DateTime::now();
        let later = mongodb::bson::DateTime::from_millis(now.timestamp_millis() + 60_000);
        let whole = doc! {
            "key": "k", "format": 1, "revision": 1_i64, "data": "{}", "created_at": now, "expires_at": later,
        };
        let key = SessionKey::parse("k")?;
        documents.insert_one(&whole).await?;
        if store.load(&key).await?.is_none() || !store.delete(&key).await? {
            return Err("what is not damaged is not live".into());
        }
        let changes = [
            doc! { "format": 2 },
            doc! { "format": "1" },
            doc! { "revision": 1.5 },
            doc! { "revision": -1_i64 },
            doc! { "created_at": "yesterday" },
            doc! { "expires_at": 4_102_444_800_000_i64 },
            doc! { "deadline": 1 },
            doc! { "owner": ["ada"] },
            doc! { "owner": "" },
            doc! { "data": { "a": 1 } },
        ];
        for change in changes {
            let mut planted = whole.clone();
            planted.extend(change.clone());
            documents.insert_one(planted).await?;
            let loaded = store.load(&key).await;
            if !matches!(loaded, Err(Error::Corrupt(_))) {
                return Err(format!("a load of {change}: {loaded:?}").into());
            }
            let created = store.create(&key, &record()?).await;
            if !matches!(created, Err(Error::AlreadyExists)) {
                return Err(format!("a create over {change}: {created:?}").into());
            }
            if change.contains_key("format") {
                let updated = store.update(&key, Revision::from_number(1), &record()?).await;
                let touched = store.touch(&key, record()?.expires_at).await;
                if !matches!((&updated, &touched), (Err(Error::Corrupt(_)), Err(Error::Corrupt(_)))) {
                    return Err(format!("an update and a touch of {change}: {updated:?}, {touched:?}").into());
                }
            }
            store.list(Scope::All, &Page::first(10)).await?;
            if !store.delete(&key).await? || documents.count_documents(doc! {}).await? != 0 {
                return Err(format!("a delete of {change} left it, or said that nothing was there").into());
            }
        }
        Ok(())
    })
}
