//! Where the driver works: on threads of the store's own, every command to its end.
//!
//! A future of the driver that is dropped while the server works gives its server session back as if it were free. The next call
//! gets that session, and waits for what the server is still doing under it. So no command is dropped because its caller is
//! gone or its time is over: it runs in a task. The tasks are as many as the pool has connections, so that nobody waits inside of
//! the driver, and whoever waits here can leave. They run on threads of the store's own, with the sockets that they wait for, so
//! that no application's runtime that stands still or ends holds them up.

use std::cell::Cell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::event::EventHandler;
use mongodb::event::cmap::CmapEvent;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::ClientOptions;
use session_core::SessionKey;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedMutexGuard, Semaphore, oneshot};

use crate::error::MongoCause;

/// How many connections a pool has when the options do not say; the driver's own number.
const CONNECTIONS: u32 = 10;

/// How long the client may take to end.
const TO_END: Duration = Duration::from_secs(1);

/// What a command is to others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    /// Reads, or writes many; the server ends it in time.
    Any,
    /// Writes what is under a key. Such commands take turns: one that the server holds back does not take all connections.
    WriteOf(&'a SessionKey),
    /// Takes as long as it needs, as the making of an index does.
    Long,
}

/// The driver's client and what all clones of a store share about it.
pub(crate) struct Driver {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

struct Shared {
    options: ClientOptions,
    /// Not if the application looks at what the driver tells about its connections.
    sees_sending: bool,
    client: Mutex<Client>,
    /// One permit for each connection of the pool.
    commands: Semaphore,
    turns: Turns,
    /// What the driver last heard of a server that it cannot reach.
    failure: Arc<Mutex<Option<mongodb::error::Error>>>,
}

impl Driver {
    /// Starts two threads and the client on them. Waits for no server.
    pub(crate) fn start(mut options: ClientOptions) -> Result<Self, MongoCause> {
        let connections = options.max_pool_size.filter(|size| *size > 0).unwrap_or(CONNECTIONS);
        options.max_pool_size = Some(connections);
        let (failure, sees_sending) = (Arc::default(), options.cmap_event_handler.is_none());
        options.cmap_event_handler.get_or_insert_with(notice_sending);
        options.sdam_event_handler.get_or_insert_with(|| remember_in(Arc::clone(&failure)));
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("session-store-mongo")
            .enable_all()
            .build()
            .map_err(mongodb::error::Error::from)?;
        let client = {
            let _on_its_threads = runtime.enter();
            Mutex::new(Client::with_options(options.clone())?)
        };
        let commands = Semaphore::new(usize::try_from(connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS));
        let shared = Arc::new(Shared { options, sees_sending, client, commands, turns: Turns::default(), failure });
        Ok(Self { runtime: Some(runtime), shared })
    }

    /// Runs a command to its end, and waits for its answer for as long as `timeout`.
    ///
    /// The command is made when it is about to be sent, so that it asks the clock then. One that waits for a connection all the
    /// time is dropped: nothing was sent, and the connection is made all the same. Where a server gives no answer at all, although it was
    /// told to take no longer than the `timeout`, it stands still or the connection is dead: then a new client is made, for what
    /// else the old one has may be so too.
    pub(crate) async fn run<T, F>(
        &self,
        timeout: Duration,
        kind: Kind<'_>,
        command: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<T, MongoCause>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, MongoCause>> + Send + 'static,
    {
        let (mut answer, answered) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let limit = if matches!(kind, Kind::Long) { Duration::MAX } else { timeout.saturating_add(timeout / 4) };
        let turn = if let Kind::WriteOf(key) = kind { Some(key.clone()) } else { None };
        let work = async move {
            let begin = async {
                let turn = match turn {
                    Some(key) => Some(shared.turns.wait(key).await),
                    None => None,
                };
                (turn, shared.commands.acquire().await)
            };
            let _until_its_end = tokio::select! {
                begun = tokio::time::timeout(timeout, begin) => match begun {
                    Ok(begun) => begun,
                    Err(_) => return,
                },
                () = answer.closed() => return,
            };
            let client = lock(&shared.client).clone();
            let ending = async { (tokio::time::timeout(limit, command(client)).await, IS_SENT.with(Cell::get)) };
            match IS_SENT.scope(Cell::new(!shared.sees_sending), ending).await {
                (Ok(done), _) => drop(answer.send(done)),
                (Err(_), true) => shared.begin_anew(),
                (Err(_), false) => {}
            }
        };
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
        match tokio::time::timeout(timeout, answered).await {
            Ok(Ok(done)) => done.map_err(|cause| self.explain(cause)),
            _ => Err(self.explain(MongoCause::no_answer())),
        }
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    /// Puts what the driver last heard of the server in the place of «there is no server» and «no answer».
    fn explain(&self, cause: MongoCause) -> MongoCause {
        if !cause.says_little() {
            return cause;
        }
        lock(&self.shared.failure).clone().map_or(cause, MongoCause::from)
    }
}

impl Shared {
    /// Makes a new client, with connections and server sessions of its own. What runs on the old one goes on.
    fn begin_anew(&self) {
        // The options were valid once; if there are no more threads or sockets, the old one stays.
        if let Ok(fresh) = Client::with_options(self.options.clone()) {
            *lock(&self.client) = fresh;
        }
    }
}

impl Drop for Driver {
    /// Ends the client before the threads that it runs on, and without waiting: this may be inside of another runtime.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let client = lock(&self.shared.client).clone();
        let runtime = ManuallyDrop::new(runtime);
        let end = move || {
            let runtime = ManuallyDrop::into_inner(runtime);
            runtime.block_on(async { tokio::time::timeout(TO_END, client.shutdown().immediate(true)).await.ok() });
            runtime.shutdown_background();
        };
        // Without a thread for it the two go on until the process ends.
        drop(std::thread::Builder::new().name("session-store-mongo-end".into()).spawn(end));
    }
}

/// Keeps why a server could not be reached until it is.
fn remember_in(failure: Arc<Mutex<Option<mongodb::error::Error>>>) -> EventHandler<SdamEvent> {
    EventHandler::callback(move |event| match event {
        SdamEvent::ServerHeartbeatFailed(failed) => *lock(&failure) = Some(failed.failure),
        SdamEvent::ServerHeartbeatSucceeded(_) => *lock(&failure) = None,
        _ => {}
    })
}

tokio::task_local! {
    /// Whether the command of this task has got a connection.
    static IS_SENT: Cell<bool>;
}

/// The driver tells of a connection in the task that gets it.
fn notice_sending() -> EventHandler<CmapEvent> {
    EventHandler::callback(|event| {
        if let CmapEvent::ConnectionCheckedOut(_) = event {
            // Others than the tasks of commands have none to set.
            let _ = IS_SENT.try_with(|is_sent| is_sent.set(true));
        }
    })
}

/// What is locked is never left half changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose turn it is to write under a key; of keys that nobody writes nothing is kept.
#[derive(Default)]
struct Turns(Arc<Mutex<HashMap<SessionKey, Arc<tokio::sync::Mutex<()>>>>>);

/// A turn; it ends when it is dropped.
struct Turn {
    key: SessionKey,
    queue: Option<Arc<tokio::sync::Mutex<()>>>,
    held: Option<OwnedMutexGuard<()>>,
    turns: Arc<Mutex<HashMap<SessionKey, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Turns {
    async fn wait(&self, key: SessionKey) -> Turn {
        let queue = Arc::clone(lock(&self.0).entry(key.clone()).or_default());
        let mut turn = Turn { key, queue: Some(Arc::clone(&queue)), held: None, turns: Arc::clone(&self.0) };
        turn.held = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = lock(&self.turns);
        drop((self.held.take(), self.queue.take()));
        // The map's own is the last one: nobody waits.
        if turns.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            turns.remove(&self.key);
        }
    }
}
