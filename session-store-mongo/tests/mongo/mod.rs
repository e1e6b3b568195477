//! What the suite needs of MongoDB, through the driver and not through the store.

mod lines;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use conformance_tests::{Damage, Need, Outage, Space, Suite};
use mongodb::bson::{Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};
use session_core::{BoxError, SessionKey};
use session_store_mongo::MongoStore;
use tokio::sync::{Mutex, OnceCell};

use lines::Lines;

const DATABASE: &str = "session_tests";

/// The suite on the server that an environment variable names.
pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Ok(url) = std::env::var(variable) else {
        return Suite::absent(name, format!("{variable} names no server"));
    };
    let can_be_cut = Lines::can_be_laid_to(&url);
    let server = Server { url: url.into(), spaces: Arc::default() };
    let [opened, shown, damaged, counted, cut] = [(); 5].map(|()| server.clone());
    let suite = Suite::new(name, move |space| opened.clone().open(space))
        .reopens()
        .spans_processes()
        .collects_garbage()
        // Of a replica set on one small machine, every write waits for three journals on one disk.
        .with_limit(Duration::from_secs(400))
        .shows_raw(move |space| shown.clone().raw(space))
        .damages(move |space, key, damage| damaged.clone().damage(space, key, damage))
        .counts_round_trips(move |space| counted.clone().round_trips(space));
    if can_be_cut {
        suite.survives_outage(move |space, outage| cut.clone().outage(space, outage))
    } else {
        suite.lacks(Need::Outage, "the server's address cannot be replaced by a proxy's")
    }
}

#[derive(Clone)]
struct Server {
    url: Arc<str>,
    spaces: Arc<Mutex<HashMap<String, Arc<Connected>>>>,
}

/// How the stores of one space reach the server: over lines of their own, and counted.
struct Connected {
    lines: Lines,
    commands: Arc<AtomicU64>,
}

impl Server {
    async fn connected(&self, space: &Space) -> Result<Arc<Connected>, BoxError> {
        let mut spaces = self.spaces.lock().await;
        if let Some(connected) = spaces.get(space.namespace()) {
            return Ok(Arc::clone(connected));
        }
        let lines = Lines::lay(&self.url).await?;
        let connected = Arc::new(Connected { lines, commands: Arc::default() });
        spaces.insert(space.namespace().to_owned(), Arc::clone(&connected));
        Ok(connected)
    }

    async fn open(self, space: Space) -> Result<MongoStore, BoxError> {
        let connected = self.connected(&space).await?;
        let mut options = ClientOptions::parse(connected.lines.url()).await?;
        let commands = Arc::clone(&connected.commands);
        // A command is a round trip: the driver waits for its answer before it sends the next one of a call.
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(_) = event {
                commands.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let database = Client::with_options(options)?.database(DATABASE);
        let store = MongoStore::new(database).with_collection(space.namespace())?.with_clock(space.clock());
        store.setup().await?;
        Ok(store)
    }

    /// The documents as text, and how many entries the index by owner has.
    async fn raw(self, space: Space) -> Result<Vec<String>, BoxError> {
        let collection = self.collection(&space).await?;
        let mut cursor = collection.find(doc! {}).await?;
        let mut lines = Vec::new();
        while cursor.advance().await? {
            lines.push(cursor.deserialize_current()?.to_string());
        }
        let owned = doc! { "owner": { "$gte": "" } };
        let owned = collection.count_documents(owned).hint(mongodb::options::Hint::Name("owner".into())).await?;
        lines.push(format!("{owned} entries in the index by owner"));
        Ok(lines)
    }

    async fn damage(self, space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
        let change = match damage {
            Damage::Data(text) => doc! { "$set": { "data": text } },
            Damage::Format => doc! { "$set": { "format": 99 } },
            other => return Err(format!("a document cannot be damaged so: {other:?}").into()),
        };
        self.collection(&space).await?.update_one(doc! { "key": key.as_str() }, change).await?;
        Ok(())
    }

    async fn round_trips(self, space: Space) -> Result<u64, BoxError> {
        Ok(self.connected(&space).await?.commands.load(Ordering::Relaxed))
    }

    async fn outage(self, space: Space, outage: Outage) -> Result<(), BoxError> {
        let connected = self.connected(&space).await?;
        match outage {
            Outage::Begin => connected.lines.cut(),
            Outage::End => connected.lines.mend(),
            other => return Err(format!("the lines cannot do this: {other:?}").into()),
        }
        Ok(())
    }

    async fn collection(&self, space: &Space) -> Result<Collection<Document>, BoxError> {
        static CLIENT: LazyLock<OnceCell<Client>> = LazyLock::new(OnceCell::new);
        let client = CLIENT.get_or_try_init(|| Client::with_uri_str(&*self.url)).await?;
        Ok(client.database(DATABASE).collection(space.namespace()))
    }
}
