//! One question to Redis and its answer: within the call's time, again where that is safe, and acknowledged by replicas if asked for.

use std::time::{Duration, Instant};

use redis::aio::ConnectionLike;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use session_core::{Error, Result};

use crate::RedisStore;
use crate::connection::{Lane, Line};
use crate::error::{is_lost, is_undone, is_unknown_script, needs_another_connection, refusal};
use crate::script::{Call, DONE};

/// How long a write waits for its replicas at most. A replica that is there has it in about a millisecond.
const MOST_WAITING: Duration = Duration::from_millis(250);

/// From how many bytes on a record does not go before others on their connection.
const LONG: usize = 16_384;

/// What replicas acknowledge. A script that has changed nothing leaves nothing to wait for, though what it found may not have reached
/// them: so something is written that always goes to them, with memory full too.
const WRITE: &str = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '', 'PX', '60000')";

/// How a call is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// After how long it is given up.
    pub(crate) timeout: Duration,
    /// How many replicas must have a write before it is acknowledged.
    pub(crate) replicas: u32,
}

/// Whether a call may be sent again when the connection broke, without knowing whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The answer is as good: a read, or a write that changes nothing the second time.
    Same,
    /// A write that knows its own revision again. If it is refused, the first one may have succeeded, and others have written since.
    Known,
    /// The answer may be another one, or the first copy may come later and make live what has ended since.
    Never,
}

impl RedisStore {
    /// Reads a value. Always from a master: a replica may still have what is gone.
    pub(crate) async fn get(&self, part: u16, key: &str) -> Result<Option<Vec<u8>>> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        self.within(self.answer(Lane::First, part, &command, 0, Twice::Same)).await
    }

    /// Runs a script that writes, and waits for replicas as it is told.
    pub(crate) async fn write<T: FromRedisValue>(&self, call: &Call, twice: Twice) -> Result<T> {
        self.run(call, self.manner.replicas, twice).await
    }

    /// Runs a script that reads, or only heals what nobody misses.
    pub(crate) async fn read<T: FromRedisValue>(&self, call: &Call) -> Result<T> {
        self.run(call, 0, Twice::Same).await
    }

    async fn run<T: FromRedisValue>(&self, call: &Call, replicas: u32, twice: Twice) -> Result<T> {
        let lane = if self.names.is_cluster() || call.bytes > LONG { Lane::Second } else { Lane::First };
        self.within(async {
            match self.answer(lane, call.part, call.by_digest(), replicas, twice).await {
                // Nothing of it has run.
                Err(error) if is_unknown_script(&error) => {
                    self.answer(lane, call.part, &call.by_text(), replicas, twice).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Asks a server something that is not about sessions.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.within(self.answer(Lane::First, 0, command, 0, Twice::Same)).await
    }

    /// Gives a call up after its time, and the connection with it, which may be dead without a word.
    async fn within<T: FromRedisValue>(&self, call: impl Future<Output = RedisResult<Value>>) -> Result<T> {
        match tokio::time::timeout(self.manner.timeout, call).await {
            Ok(answer) => redis::from_redis_value(answer.map_err(|error| refusal(&error))?).map_err(Error::backend),
            Err(_) => {
                self.connections.give_up_what_is_silent(self.manner.timeout);
                Err(Error::unavailable("redis did not answer in time"))
            }
        }
    }

    /// Sends a command until it is answered, where it may be sent again.
    async fn answer(&self, lane: Lane, part: u16, command: &Cmd, replicas: u32, twice: Twice) -> RedisResult<Value> {
        let end = Instant::now() + self.manner.timeout;
        let (mut is_second, mut pause) = (false, Duration::from_millis(5));
        loop {
            let answer = self.send(lane, part, command, replicas).await;
            let Err(error) = &answer else {
                return match answer? {
                    Value::Int(outcome) if is_second && twice == Twice::Known && outcome != DONE => Err(lost()),
                    answer => Ok(answer),
                };
            };
            let (is_cluster, is_lost) = (self.names.is_cluster(), is_lost(error));
            let may_be_sent_again = is_lost && twice != Twice::Never && (is_cluster || !is_second);
            if !(may_be_sent_again || is_cluster && is_undone(error)) {
                return answer;
            }
            is_second |= is_lost;
            if is_cluster {
                // The cluster is changing. Its client asks for the new map meanwhile.
                if Instant::now() + pause >= end {
                    return answer;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(100));
            }
        }
    }

    /// One round trip.
    async fn send(&self, lane: Lane, part: u16, command: &Cmd, replicas: u32) -> RedisResult<Value> {
        let (slot, line) = self.connections.connection(lane, self.manner.timeout / 4).await?;
        let pipeline = (replicas > 0).then(|| self.acknowledged(part, command, replicas));
        let answer = match (line, &pipeline) {
            (Line::Server(mut line), None) => line.req_packed_command(command).await,
            (Line::Server(mut line), Some(pipeline)) => {
                line.req_packed_commands(pipeline, 0, 3).await.and_then(|answers| acknowledgement(answers, replicas))
            }
            #[cfg(feature = "cluster")]
            (Line::Cluster(mut line), pipeline) => {
                use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
                let route = Route::new(crate::part::slot_of_part(part), SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                match pipeline {
                    None => line.route_command(command.clone(), RoutingInfo::SingleNode(route)).await,
                    Some(pipeline) => {
                        let answers = line.route_pipeline(pipeline.clone(), 0, 3, route).await;
                        answers.and_then(|answers| acknowledgement(answers, replicas))
                    }
                }
            }
        };
        let answer = answer.and_then(Value::extract_error);
        match &answer {
            Err(error) if needs_another_connection(error) && !self.names.is_cluster() => {
                self.connections.give_up(&slot);
            }
            _ => slot.has_answered(),
        }
        answer
    }

    /// Adds to a command, in the same round trip, the question how many replicas have what it wrote or found.
    fn acknowledged(&self, part: u16, command: &Cmd, replicas: u32) -> Pipeline {
        // The connection is blocked meanwhile, for the other calls on it too: where no replica answers, they shall not starve.
        let millis = (self.manner.timeout / 2).min(MOST_WAITING).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
        let mut pipeline = redis::pipe();
        pipeline.add_command(command.clone());
        pipeline.cmd("EVAL").arg(WRITE).arg(1).arg(self.names.written(part));
        pipeline.cmd("WAIT").arg(replicas).arg(millis);
        pipeline
    }
}

/// Returns the command's answer, if nothing failed and enough replicas have it.
fn acknowledgement(answers: Vec<Value>, replicas: u32) -> RedisResult<Value> {
    let answers: Vec<Value> = answers.into_iter().map(Value::extract_error).collect::<RedisResult<_>>()?;
    let (answer, (), acknowledged): (Value, (), u32) = redis::from_redis_value(Value::Array(answers))?;
    if acknowledged < replicas {
        // As the server itself says when it has not enough of them: `min-replicas-to-write`.
        return Err(redis::make_extension_error("NOREPLICAS".to_owned(), None));
    }
    Ok(answer)
}

/// A call whose outcome is not known.
fn lost() -> RedisError {
    RedisError::from(std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the answer was lost with the connection"))
}
