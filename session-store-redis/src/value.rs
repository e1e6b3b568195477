//! What a script writes: a value that goes along with it or, if it is long, ahead of it.

use redis::{Cmd, Pipeline, RedisResult};
use session_core::{Record, Revision};

use crate::RedisStore;
use crate::keys::Place;
use crate::text;

/// From how many bytes on a value is long.
///
/// Redis hashes each byte of what it hands to Lua, which takes longer than everything else that it does with a long value, and
/// serves nobody meanwhile. From here on it is faster to set the value under another name, which the script changes.
const LONG: usize = 4096;

/// The text of a record, and the way that it goes.
#[derive(Debug)]
pub(crate) enum Value {
    /// As the last argument of the script.
    Along(Vec<u8>),
    Staged(Staged),
}

/// A value that goes ahead of its script; the script gets the line before its data.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The name that the value has until the script comes. Outside of the transaction nobody sees it.
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
    /// How many milliseconds Redis is to keep the record.
    ttl: i64,
}

impl RedisStore {
    /// Makes the value of a record at the place, as it stands at this revision.
    ///
    /// In a cluster none is staged: while a slot moves, two of its keys may be on two nodes, and no script reaches both.
    pub(crate) fn value(&self, place: &Place, record: &Record, revision: Revision, ttl: i64) -> Value {
        let text = text::write(record, revision);
        if text.len() < LONG || self.link.is_cluster() {
            return Value::Along(text);
        }
        Value::Staged(Staged { name: self.prefix.stage(place.part), text, ttl })
    }
}

impl Staged {
    /// Puts the script into a transaction, between the commands that stage the value and remove what the script did not want.
    pub(crate) fn around(&self, script: Cmd) -> Pipeline {
        let mut set = Cmd::with_capacity(5, self.name.len() + self.text.len() + 32);
        set.arg("SET").arg(&self.name).arg(&self.text).arg("PX").arg(self.ttl);
        let mut pipeline = Pipeline::with_capacity(5);
        pipeline.cmd("MULTI").add_command(set).add_command(script).cmd("UNLINK").arg(&self.name).cmd("EXEC");
        pipeline
    }

    /// Finds the script's answer among those of the transaction, which had no error.
    pub(crate) fn answer(answers: Vec<redis::Value>) -> RedisResult<redis::Value> {
        let ((), (), (), (), answers): ((), (), (), (), (redis::Value, redis::Value, redis::Value)) =
            redis::from_redis_value(redis::Value::Array(answers))?;
        Ok(answers.1)
    }
}
