//! What the suite needs of MongoDB, through the driver and not through the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use conformance_tests::{Damage, Need, Space, Suite};
use mongodb::bson::{DateTime, Document, doc};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;
use mongodb::{Client, ClientSession, Collection, Database};
use session_core::{BoxError, Clock, SessionKey};
use session_store_mongo::MongoStore;
use tokio::sync::{Mutex, OnceCell};

const DATABASE: &str = "session_tests";

/// The suite on the server that an environment variable names.
pub(crate) fn suite(name: &str, variable: &'static str) -> Suite {
    let Ok(url) = std::env::var(variable) else {
        return Suite::absent(name, format!("{variable} names no server"));
    };
    let has_lines = has_lines(&url);
    let server = Server { url: url.into(), commands: Arc::default() };
    let [opened, shown, damaged, counted, collected, held, worked, replaced] = [(); 8].map(|()| server.clone());
    let suite = Suite::new(name, move |space| opened.clone().open(space))
        .reopens()
        .spans_processes()
        .collects_garbage()
        // Of a replica set on one small machine, every write waits for three journals on one disk.
        .with_limit(Duration::from_secs(400))
        .shows_raw(move |space| shown.clone().raw(space))
        .damages(move |space, key, damage| damaged.clone().damage(space, key, damage))
        .collects_now(move |space| collected.clone().collect(space))
        .counts_work(move |space| worked.clone().work(space))
        .replaces(move |space| replaced.clone().replace(space))
        // The driver makes two of its ten connections at a time, and first one to look at the server.
        .greets(8)
        // What is refused is looked at once more.
        .costs("a create that is refused", 1..=1)
        .costs("an update that conflicts", 2..=2)
        .costs("an update of nothing", 2..=2)
        .costs("a touch of nothing", 2..=2)
        .costs("a rotation that conflicts", 2..=2)
        // What is over is looked for, and then deleted.
        .costs("delete_expired", 2..=2)
        // How far a step goes; then those that are not live, and then those that count.
        .costs("delete_owned", 3..=3)
        .costs("clear", 3..=3);
    // A server alone has no transactions, and so no lock that a client can hold.
    let suite = if server.url.contains("replicaSet=") {
        suite.locks(move |space, key| held.clone().hold(space, key))
    } else {
        suite
    };
    let suite = if has_lines {
        suite.uses_lines()
    } else {
        let reason = "lines are laid to servers at ports of five digits of 127.0.0.1";
        [Need::Gaps, Need::Outage].into_iter().fold(suite, |suite, need| suite.lacks(need, reason))
    };
    // What the driver asks by itself goes over the lines too.
    suite.counts_round_trips(move |space| counted.clone().round_trips(space))
}

/// Says whether all addresses are `127.0.0.1` with a port of five digits, as those of our own servers are.
fn has_lines(url: &str) -> bool {
    let mut members = members(url).peekable();
    members.peek().is_some()
        && members.all(|member| member.strip_prefix("127.0.0.1:").is_some_and(|port| port.len() == 5))
}

fn members(url: &str) -> impl Iterator<Item = &str> {
    let hosts = url.strip_prefix("mongodb://").unwrap_or_default();
    let hosts = hosts.split(['/', '?']).next().unwrap_or_default();
    hosts.rsplit('@').next().unwrap_or_default().split(',').filter(|host| !host.is_empty())
}

#[derive(Clone)]
struct Server {
    url: Arc<str>,
    /// How many commands the stores of each space have sent.
    commands: Arc<Mutex<HashMap<String, Arc<AtomicU64>>>>,
}

impl Server {
    async fn open(self, space: Space) -> Result<MongoStore, BoxError> {
        let mut url = self.url.to_string();
        if has_lines(&url) {
            let lines = space.lines_to(members(&self.url)).await?;
            for (member, line) in members(&self.url).zip(lines) {
                url = url.replace(member, &line);
            }
        }
        let mut options = ClientOptions::parse(&url).await?;
        let commands = self.commands(&space).await;
        // A command is a round trip: the driver waits for its answer before it sends the next one of a call.
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(_) = event {
                commands.fetch_add(1, Ordering::Relaxed);
            }
        }));
        options.default_database = Some(database(&space));
        if space.timeout().is_some() {
            // A call that makes the pool grow waits for that very connection, and the driver has no other way (README, "Sizing").
            options.min_pool_size = Some(10);
        }
        if is_profiled(&space) {
            // The writes of single records are many, and not what is asked for.
            let many =
                doc! { "command.findAndModify": { "$exists": false }, "command.find": { "$ne": "system.profile" } };
            let on = doc! { "profile": 1, "slowms": 0, "filter": many };
            self.database(&space).await?.run_command(on).await?;
        }
        let store = MongoStore::new(options)?.with_collection(space.namespace())?.with_clock(space.clock());
        let store = if let Some(timeout) = space.timeout() { store.with_timeout(timeout) } else { store };
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
        let owned =
            collection.count_documents(owned).hint(mongodb::options::Hint::Name("session_owner".into())).await?;
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

    /// What the server would have removed, if its clock stood where the space's stands: what ended a day ago.
    async fn collect(self, space: Space) -> Result<(), BoxError> {
        let now = space.clock().now().unix_millis() - 24 * 60 * 60 * 1000;
        let over = doc! { "sweep_at": { "$lte": DateTime::from_millis(now) } };
        self.collection(&space).await?.delete_many(over).await?;
        Ok(())
    }

    async fn replace(self, space: Space) -> Result<(), BoxError> {
        self.collection(&space).await?.drop().await?;
        Ok(self.database(&space).await?.create_collection(space.namespace()).await?)
    }

    /// Writes a document in a transaction that does not end until what is returned is dropped.
    async fn hold(self, space: Space, key: SessionKey) -> Result<ClientSession, BoxError> {
        let client = Client::with_uri_str(&*self.url).await?;
        let mut session = client.start_session().await?;
        session.start_transaction().await?;
        let documents = client.database(DATABASE).collection::<Document>(space.namespace());
        documents
            .update_one(doc! { "key": key.as_str() }, doc! { "$set": { "held": true } })
            .session(&mut session)
            .await?;
        Ok(session)
    }

    /// How many documents and entries of indexes the server has looked at for a collection, by its profiler.
    async fn work(self, space: Space) -> Result<u64, BoxError> {
        let of_calls = doc! { "$match": { "ns": format!("{}.{}", database(&space), space.namespace()) } };
        let sum = doc! { "$group": { "_id": 1, "n": { "$sum": { "$add": ["$docsExamined", "$keysExamined"] } } } };
        let profile = self.database(&space).await?.collection::<Document>("system.profile");
        let mut cursor = profile.aggregate([of_calls, sum]).await?;
        let sum = if cursor.advance().await? { cursor.deserialize_current()?.get("n").cloned() } else { None };
        let sum = sum.and_then(|sum| sum.as_i64().or(sum.as_i32().map(i64::from))).unwrap_or_default();
        Ok(u64::try_from(sum)?)
    }

    async fn round_trips(self, space: Space) -> Result<u64, BoxError> {
        Ok(self.commands(&space).await.load(Ordering::Relaxed))
    }

    async fn commands(&self, space: &Space) -> Arc<AtomicU64> {
        Arc::clone(self.commands.lock().await.entry(space.namespace().to_owned()).or_default())
    }

    async fn collection(&self, space: &Space) -> Result<Collection<Document>, BoxError> {
        Ok(self.database(space).await?.collection(space.namespace()))
    }

    async fn database(&self, space: &Space) -> Result<Database, BoxError> {
        static CLIENT: LazyLock<OnceCell<Client>> = LazyLock::new(OnceCell::new);
        let client = CLIENT.get_or_try_init(|| Client::with_uri_str(&*self.url)).await?;
        Ok(client.database(&database(space)))
    }
}

/// Where work is counted, the profiler of a database of its own does it.
fn is_profiled(space: &Space) -> bool {
    space.namespace().starts_with("ct_backlog")
}

fn database(space: &Space) -> String {
    if is_profiled(space) { space.namespace().into() } else { DATABASE.into() }
}
