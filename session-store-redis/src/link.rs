//! How commands reach Redis: over a connection that was handed in, one that is kept up here, or a cluster.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager};
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use session_core::{Error, Result};

use crate::error::{is_lost, is_unknown_script, needs_another_connection, refusal};
#[cfg(feature = "cluster")]
use crate::part::slot_of_part;
use crate::payload::Staged;
use crate::script::{Call, DONE, Request};
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

/// Whether a call may be made again when the connection is found broken, without knowing whether it was carried out. (A client
/// of a cluster makes every call again.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The answer is as good: a read, or a write that changes nothing the second time.
    Same,
    /// A write that knows its own revision again. If it is refused, the first one may have succeeded, and others have written since.
    Known,
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
        let request = Request::One(Cow::Owned(command));
        let call = self.answer(part, &request, None, Twice::Same);
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
        match self.answer(part, &call.by_digest(), replicas, twice).await {
            Err(error) if is_unknown_script(&error) => self.answer(part, &call.by_text(), replicas, twice).await,
            answer => answer,
        }
    }

    async fn answer(
        &self,
        part: u16,
        request: &Request<'_>,
        replicas: Option<Manner>,
        twice: Twice,
    ) -> RedisResult<Value> {
        // Only a cluster has more than one place to go to.
        #[cfg(not(feature = "cluster"))]
        let _ = part;
        match self {
            Self::Managed(manager) => send(&mut manager.clone(), request, replicas).await,
            Self::Kept(server) => {
                let mut connection = server.connection().await?;
                let answer = send(&mut connection.line, request, replicas).await;
                let Err(error) = &answer else { return answer };
                if needs_another_connection(error) {
                    server.give_up(&connection);
                }
                if !is_lost(error) || twice == Twice::Differs {
                    return answer;
                }
                match send(&mut server.connection().await?.line, request, replicas).await? {
                    Value::Int(outcome) if twice == Twice::Known && outcome != DONE => Err(lost()),
                    answer => Ok(answer),
                }
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => {
                use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
                let route = Route::new(slot_of_part(part), SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let mut cluster = cluster.clone();
                match (request, replicas) {
                    (Request::One(command), None) => {
                        let route = RoutingInfo::SingleNode(route);
                        cluster.route_command(Cmd::clone(command), route).await?.extract_error()
                    }
                    _ => {
                        let pipeline = request.pipeline(replicas).into_owned();
                        let count = pipeline.len();
                        request.answer(cluster.route_pipeline(pipeline, 0, count, route).await?, replicas)
                    }
                }
            }
        }
    }
}

/// Sends a request over one connection.
async fn send(line: &mut impl ConnectionLike, request: &Request<'_>, replicas: Option<Manner>) -> RedisResult<Value> {
    match (request, replicas) {
        (Request::One(command), None) => line.req_packed_command(command).await?.extract_error(),
        _ => {
            let pipeline = request.pipeline(replicas);
            request.answer(line.req_packed_commands(&pipeline, 0, pipeline.len()).await?, replicas)
        }
    }
}

impl Request<'_> {
    /// Returns all commands, and in the same round trip the question how many replicas have what they wrote.
    fn pipeline(&self, replicas: Option<Manner>) -> Cow<'_, Pipeline> {
        let mut pipeline = match self {
            Self::One(command) => {
                let mut pipeline = redis::pipe();
                pipeline.add_command(Cmd::clone(command));
                Cow::Owned(pipeline)
            }
            Self::Staged(pipeline) => Cow::Borrowed(pipeline),
        };
        if let Some(manner) = replicas {
            // The connection is blocked meanwhile, for the other calls on it too: where no replica answers, they shall not starve.
            let millis = (manner.timeout / 2).min(MOST_WAITING).as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            pipeline.to_mut().cmd("WAIT").arg(manner.replicas).arg(millis.max(1));
        }
        pipeline
    }

    /// Returns the command's answer, if nothing failed and enough replicas have it.
    fn answer(&self, answers: Vec<Value>, replicas: Option<Manner>) -> RedisResult<Value> {
        let mut answers: Vec<Value> = answers.into_iter().map(Value::extract_error).collect::<RedisResult<_>>()?;
        if let Some(manner) = replicas {
            let acknowledged: u32 = redis::from_redis_value(answers.pop().unwrap_or(Value::Nil))?;
            if acknowledged < manner.replicas {
                // As the server itself says when it has not enough of them: `min-replicas-to-write`.
                return Err(redis::make_extension_error("NOREPLICAS".to_owned(), None));
            }
        }
        match self {
            Self::One(_) => Ok(answers.pop().unwrap_or(Value::Nil)),
            Self::Staged(_) => Staged::answer(answers),
        }
    }
}

/// A call whose outcome is not known.
fn lost() -> RedisError {
    RedisError::from((ErrorKind::Io, "the answer was lost with the connection"))
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
