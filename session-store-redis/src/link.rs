//! How commands reach Redis: over a connection that was handed in, one that is kept up here, or a cluster.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager};
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, Value};
use session_core::{Error, Result};

use crate::error::{is_lost, is_unknown_script, needs_another_connection, refusal};
#[cfg(feature = "cluster")]
use crate::part::slot_of_part;
use crate::script::Call;
use crate::server::Server;

/// The way to Redis. A clone shares it.
#[derive(Clone)]
pub(crate) enum Link {
    /// A connection of the application's, which reconnects by itself.
    Managed(ConnectionManager),
    /// A connection that is kept up here.
    Kept(Arc<Server>),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

/// How long a write waits for its replicas at most. A replica that is there has it in about a millisecond.
const MOST_WAITING: Duration = Duration::from_millis(250);

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// After how long it is given up.
    pub(crate) timeout: Duration,
    /// How many replicas must have a write before it is acknowledged.
    pub(crate) replicas: u32,
}

/// Whether a call may be made again when the connection is found broken, without knowing whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The answer is the same: a read, or a write that knows its own revision again.
    Same,
    /// The answer may be another one.
    Differs,
}

impl Link {
    /// Says whether a script reaches one part only, and not all of them.
    pub(crate) fn is_cluster(&self) -> bool {
        #[cfg(feature = "cluster")]
        if matches!(self, Self::Cluster(_)) {
            return true;
        }
        false
    }

    /// Reads a value. Always from a master: a replica may still have what is gone.
    pub(crate) async fn get(&self, part: u16, key: &str, manner: Manner) -> Result<Option<Vec<u8>>> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        let call = self.answer(part, &command, None, Twice::Same);
        self.within(manner.timeout, call).await.and_then(read)
    }

    /// Runs a script that writes, and waits for replicas as it is told.
    pub(crate) async fn write<T: FromRedisValue>(
        &self,
        part: u16,
        call: &Call,
        twice: Twice,
        manner: Manner,
    ) -> Result<T> {
        let replicas = (manner.replicas > 0).then_some(manner);
        self.within(manner.timeout, self.script(part, call, replicas, twice)).await.and_then(read)
    }

    /// Runs a script that reads, or only heals what nobody misses.
    pub(crate) async fn read<T: FromRedisValue>(&self, part: u16, call: &Call, manner: Manner) -> Result<T> {
        self.within(manner.timeout, self.script(part, call, None, Twice::Same)).await.and_then(read)
    }

    /// Gives a call up after its time, and the connection with it, which may be dead without a word.
    async fn within(&self, timeout: Duration, call: impl Future<Output = RedisResult<Value>>) -> Result<Value> {
        match tokio::time::timeout(timeout, call).await {
            Ok(answer) => answer.map_err(|error| refusal(&error)),
            Err(elapsed) => {
                if let (Self::Kept(server), Some(start)) = (self, Instant::now().checked_sub(timeout)) {
                    server.give_up_older_than(start);
                }
                Err(Error::unavailable(elapsed))
            }
        }
    }

    /// One round trip, and a second one for a server that does not know the script.
    async fn script(&self, part: u16, call: &Call, replicas: Option<Manner>, twice: Twice) -> RedisResult<Value> {
        match self.answer(part, call.by_digest(), replicas, twice).await {
            Err(error) if is_unknown_script(&error) => self.answer(part, &call.by_text(), replicas, twice).await,
            answer => answer,
        }
    }

    async fn answer(&self, part: u16, command: &Cmd, replicas: Option<Manner>, twice: Twice) -> RedisResult<Value> {
        // Only a cluster has more than one place to go to.
        #[cfg(not(feature = "cluster"))]
        let _ = part;
        match self {
            Self::Managed(manager) => send(&mut manager.clone(), command, replicas).await,
            Self::Kept(server) => {
                let mut connection = server.connection().await?;
                let answer = send(&mut connection.line, command, replicas).await;
                let Err(error) = &answer else { return answer };
                if needs_another_connection(error) {
                    server.give_up(&connection);
                }
                if !is_lost(error) || twice == Twice::Differs {
                    return answer;
                }
                send(&mut server.connection().await?.line, command, replicas).await
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => {
                use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
                let route = Route::new(slot_of_part(part), SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let mut cluster = cluster.clone();
                match replicas {
                    None => {
                        let route = RoutingInfo::SingleNode(route);
                        cluster.route_command(command.clone(), route).await?.extract_error()
                    }
                    Some(manner) => {
                        let answers = cluster.route_pipeline(waiting(command, manner), 0, 2, route).await?;
                        acknowledged(answers, manner)
                    }
                }
            }
        }
    }
}

/// Sends a command over one connection.
async fn send(line: &mut impl ConnectionLike, command: &Cmd, replicas: Option<Manner>) -> RedisResult<Value> {
    match replicas {
        None => line.req_packed_command(command).await?.extract_error(),
        Some(manner) => {
            let answers = line.req_packed_commands(&waiting(command, manner), 0, 2).await?;
            acknowledged(answers, manner)
        }
    }
}

/// The command, and in the same round trip the question how many replicas have it.
fn waiting(command: &Cmd, manner: Manner) -> Pipeline {
    let mut wait = redis::cmd("WAIT");
    // The connection is blocked meanwhile, for the other calls on it too: where no replica answers, they shall not starve.
    let millis = (manner.timeout / 2).min(MOST_WAITING).as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    wait.arg(manner.replicas).arg(millis.max(1));
    let mut pipeline = redis::pipe();
    pipeline.add_command(command.clone()).add_command(wait);
    pipeline
}

/// Returns the command's answer if enough replicas have it.
fn acknowledged(answers: Vec<Value>, manner: Manner) -> RedisResult<Value> {
    let mut answers = answers.into_iter();
    let (answer, replicas) = (answers.next().unwrap_or(Value::Nil), answers.next().unwrap_or(Value::Nil));
    let answer = answer.extract_error()?;
    let replicas: u32 = redis::from_redis_value(replicas.extract_error()?)?;
    if replicas >= manner.replicas {
        Ok(answer)
    } else {
        // As the server itself says when it has not enough of them: `min-replicas-to-write`.
        Err(redis::make_extension_error("NOREPLICAS".to_owned(), None))
    }
}

fn read<T: FromRedisValue>(answer: Value) -> Result<T> {
    redis::from_redis_value(answer).map_err(Error::backend)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the connections show of themselves has addresses in it.
        let kind = match self {
            Self::Managed(_) | Self::Kept(_) => "one server",
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => "cluster",
        };
        f.write_str(kind)
    }
}
