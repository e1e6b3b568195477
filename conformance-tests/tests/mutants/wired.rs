//! A specimen that talks to a server, for the rules about what lies between the two: connections, waiting, leaving.

use std::collections::HashMap;
use std::io::{Error as IoError, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use conformance_tests::{Space, Suite};
use serde_json::{Value, json};
use session_core::{
    BoxError, Clock, Data, Error, ManualClock, OwnerId, Record, Result, Revision, SessionKey, SessionStore, Timestamp,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::fault::Fault;
use crate::state::{How, State};

/// How many connections a handle has.
const CONNECTIONS: usize = 10;
/// How long a faulty one rests after trouble.
const REST: Duration = Duration::from_secs(8);

pub(crate) fn suite(fault: Fault) -> Suite {
    let server: Arc<tokio::sync::OnceCell<String>> = Arc::default();
    Suite::without_index(format!("wired, {fault:?}"), move |space: Space| {
        let server = Arc::clone(&server);
        async move {
            let address = server.get_or_try_init(serve).await?;
            Ok(Wired::open(address, &space, fault).await?)
        }
    })
    .reopens()
    .uses_lines()
}

/// Starts a server that keeps the records of all namespaces, and greets who comes.
async fn serve() -> std::result::Result<String, BoxError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let namespaces: Arc<Mutex<HashMap<String, State>>> = Arc::default();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let namespaces = Arc::clone(&namespaces);
            tokio::spawn(async move {
                let (reader, mut writer) = stream.split();
                let mut lines = BufReader::new(reader).lines();
                writer.write_all(b"hello\n").await?;
                while let Some(line) = lines.next_line().await? {
                    let said: Value = serde_json::from_str(&line)?;
                    let answer = {
                        let mut namespaces = namespaces.lock().unwrap_or_else(PoisonError::into_inner);
                        let state = namespaces.entry(said["namespace"].to_string()).or_default();
                        obey(state, &said).unwrap_or_else(|error| refusal(&error))
                    };
                    let answer = json!({ "id": said["id"], "answer": answer });
                    writer.write_all(format!("{answer}\n").as_bytes()).await?;
                }
                Ok::<(), IoError>(())
            });
        }
    });
    Ok(address)
}

fn obey(state: &mut State, said: &Value) -> Result<Value> {
    let how = How { fault: Fault::None, now: said["now"].as_i64().unwrap_or_default() };
    let (key, new) = (said["key"].as_str().unwrap_or_default(), said["new"].as_str().unwrap_or_default());
    let expected = Revision::from_number(said["expected"].as_u64().unwrap_or_default());
    let written = |revision: Revision| json!(revision.number());
    Ok(match said["call"].as_str().unwrap_or_default() {
        "create" => written(state.create(how, key, &record_of(&said["record"])?)?),
        "load" => match state.load(how, key)? {
            Some((record, revision)) => json!({ "record": text_of(&record), "revision": revision.number() }),
            None => Value::Null,
        },
        "update" => written(state.update(how, key, expected, &record_of(&said["record"])?)?),
        "touch" => json!(state.touch(how, key, time(&said["expires_at"])?)?),
        "rotate" => written(state.rotate(how, key, expected, new, &record_of(&said["record"])?)?),
        "delete" => json!(state.delete(how, key)),
        _ => json!(state.sweep(how, u32::try_from(said["limit"].as_u64().unwrap_or_default()).unwrap_or(u32::MAX))?),
    })
}

fn refusal(error: &Error) -> Value {
    match error {
        Error::AlreadyExists => json!({ "refused": "AlreadyExists" }),
        Error::NotFound => json!({ "refused": "NotFound" }),
        Error::Conflict => json!({ "refused": "Conflict" }),
        Error::TooLarge { size, limit } => json!({ "refused": "TooLarge", "size": size, "limit": limit }),
        _ => json!({ "refused": "other" }),
    }
}

fn time(value: &Value) -> Result<Timestamp> {
    Timestamp::from_unix_millis(value.as_i64().unwrap_or_default()).map_err(Error::backend)
}

fn text_of(record: &Record) -> Value {
    json!({
        "data": record.data.as_str(),
        "created_at": record.created_at.unix_millis(),
        "expires_at": record.expires_at.unix_millis(),
        "deadline": record.deadline.map(Timestamp::unix_millis),
        "owner": record.owner.as_ref().map(ToString::to_string),
    })
}

fn record_of(text: &Value) -> Result<Record> {
    let data = Data::parse(text["data"].as_str().unwrap_or_default()).map_err(Error::backend)?;
    let mut record = Record::new(data, time(&text["created_at"])?, time(&text["expires_at"])?);
    record.deadline = if text["deadline"].is_null() { None } else { Some(time(&text["deadline"])?) };
    record.owner = text["owner"].as_str().map(OwnerId::parse).transpose().map_err(Error::backend)?;
    Ok(record)
}

type Connection = BufReader<TcpStream>;

/// The connections that nobody uses.
#[derive(Debug, Default)]
struct Idle(Mutex<Vec<Connection>>);

impl Idle {
    fn all(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, connection: Connection) {
        let mut all = self.all();
        if all.len() < CONNECTIONS {
            all.push(connection);
        }
    }

    /// Puts one where it is taken next, whatever else is there: what is wrong with it shall be seen.
    fn put_first(&self, connection: Connection) {
        let mut all = self.all();
        if all.len() == CONNECTIONS {
            all.remove(0);
        }
        all.push(connection);
    }
}

#[derive(Debug)]
struct Wired {
    address: String,
    namespace: String,
    clock: Arc<ManualClock>,
    timeout: Duration,
    fault: Fault,
    places: Semaphore,
    idle: Arc<Idle>,
    last_id: AtomicU64,
    /// Until when a faulty one asks nobody.
    rests: Mutex<Option<Instant>>,
}

impl Wired {
    async fn open(server: &str, space: &Space, fault: Fault) -> std::io::Result<Self> {
        let address = space.lines_to([server]).await?.remove(0);
        Ok(Self {
            address,
            namespace: space.namespace().to_owned(),
            clock: space.clock(),
            timeout: space.timeout().unwrap_or(Duration::from_secs(5)),
            fault,
            places: Semaphore::new(CONNECTIONS),
            idle: Arc::default(),
            last_id: AtomicU64::new(0),
            rests: Mutex::default(),
        })
    }

    async fn ask(&self, mut said: Value) -> Result<Value> {
        said["namespace"] = json!(self.namespace);
        said["now"] = json!(self.clock.now().unix_millis());
        let rests = *self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_some_and(|until| Instant::now() < until) {
            return Err(Error::unavailable("it rests"));
        }
        let early = if self.fault == Fault::WaitsForAPlaceWithoutEnd { self.places.acquire().await.ok() } else { None };
        let is_asking = AtomicBool::new(false);
        let asked = async {
            let _place = if early.is_some() { None } else { self.places.acquire().await.ok() };
            match self.ask_once(&said, &is_asking).await {
                Err(_) if self.fault == Fault::RepeatsCreate => self.ask_once(&said, &is_asking).await,
                answer => answer,
            }
        };
        let (answer, rests) = match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(answer)) => return understood(answer),
            Ok(Err(error)) => (Error::unavailable(error), Fault::RestsAfterCut),
            Err(late) => (Error::unavailable(late), Fault::RestsAfterTimeout),
        };
        // The others may be dead too, if this one had one.
        let keeps = matches!(self.fault, Fault::ForgetsConnectionsOneByOne | Fault::KeepsConnectionsOfThoseWhoLeft);
        if is_asking.load(Ordering::Relaxed) && !keeps {
            self.idle.all().clear();
        }
        if self.fault == rests {
            *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
        }
        Err(answer)
    }

    async fn ask_once(&self, said: &Value, is_asking: &AtomicBool) -> std::io::Result<Value> {
        let mut said = said.clone();
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        said["id"] = json!(id);
        let kept = (self.fault == Fault::KeepsConnectionsOfThoseWhoLeft).then(|| Arc::clone(&self.idle));
        // Dropped half way, it is closed.
        let mut used = Used { connection: Some(self.connection().await?), kept };
        is_asking.store(true, Ordering::Relaxed);
        let Some(connection) = &mut used.connection else { return Err(ErrorKind::NotConnected.into()) };
        connection.get_mut().write_all(format!("{said}\n").as_bytes()).await?;
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            used.connection = None;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let answer: Value = serde_json::from_str(&line)?;
        if answer["id"] != json!(id) {
            return Err(IoError::other("the answer to another question"));
        }
        used.connection.take().into_iter().for_each(|connection| self.idle.put(connection));
        Ok(answer["answer"].clone())
    }

    async fn connection(&self) -> std::io::Result<Connection> {
        let idle = self.idle.all().pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connecting = connect(self.address.clone());
        if self.fault == Fault::ConnectsWithinTheCall {
            return connecting.await;
        }
        // By a task of its own: who comes later has it, if this one leaves before it is there.
        let (sender, receiver) = oneshot::channel();
        let idle = Arc::clone(&self.idle);
        tokio::spawn(async move {
            if let Err(Ok(connection)) = sender.send(connecting.await) {
                idle.put(connection);
            }
        });
        receiver.await.map_err(IoError::other)?
    }
}

async fn connect(address: String) -> std::io::Result<Connection> {
    let mut connection = BufReader::new(TcpStream::connect(address).await?);
    let mut greeting = String::new();
    if connection.read_line(&mut greeting).await? == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(connection) }
}

/// A connection in use. A faulty specimen keeps it when the one who used it leaves.
struct Used {
    connection: Option<Connection>,
    kept: Option<Arc<Idle>>,
}

impl Drop for Used {
    fn drop(&mut self) {
        if let (Some(connection), Some(idle)) = (self.connection.take(), &self.kept) {
            idle.put_first(connection);
        }
    }
}

fn understood(answer: Value) -> Result<Value> {
    match answer["refused"].as_str() {
        None => Ok(answer),
        Some("AlreadyExists") => Err(Error::AlreadyExists),
        Some("NotFound") => Err(Error::NotFound),
        Some("Conflict") => Err(Error::Conflict),
        Some("TooLarge") => {
            let size =
                |name: &str| answer[name].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
            Err(Error::TooLarge { size: size("size"), limit: size("limit") })
        }
        Some(_) => Err(Error::backend("refused")),
    }
}

fn revision(answer: &Value) -> Revision {
    Revision::from_number(answer.as_u64().unwrap_or_default())
}

#[async_trait]
impl SessionStore for Wired {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let said = json!({ "call": "create", "key": key.as_str(), "record": text_of(record) });
        Ok(revision(&self.ask(said).await?))
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let answer = self.ask(json!({ "call": "load", "key": key.as_str() })).await?;
        if answer.is_null() {
            Ok(None)
        } else {
            Ok(Some((record_of(&answer["record"])?, revision(&answer["revision"]))))
        }
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let expected = expected.number();
        let said = json!({ "call": "update", "key": key.as_str(), "expected": expected, "record": text_of(record) });
        Ok(revision(&self.ask(said).await?))
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let said = json!({ "call": "touch", "key": key.as_str(), "expires_at": expires_at.unix_millis() });
        self.ask(said).await.map(drop)
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let (key, new, expected) = (old.as_str(), new.as_str(), expected.number());
        let said = json!({ "call": "rotate", "key": key, "new": new, "expected": expected, "record": text_of(record) });
        Ok(revision(&self.ask(said).await?))
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let answer = self.ask(json!({ "call": "delete", "key": key.as_str() })).await?;
        Ok(answer.as_bool().unwrap_or_default())
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let answer = self.ask(json!({ "call": "delete_expired", "limit": limit })).await?;
        Ok(u32::try_from(answer.as_u64().unwrap_or_default()).unwrap_or(u32::MAX))
    }
}
