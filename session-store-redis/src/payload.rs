//! What a script writes: a record that goes along with it or, if it is long, ahead of it.

use redis::{Cmd, Pipeline, RedisResult, Value};
use session_core::{Record, Revision};

use crate::RedisStore;
use crate::keys::Place;
use crate::text;

/// From how many bytes on a record is long.
///
/// Redis hashes each byte of what it hands to Lua, which takes longer than everything else that it does with a long record, and
/// serves nobody meanwhile. From here on it is faster to set the record under another name, which the script changes.
const LONG: usize = 4096;

/// The text of a record, and the way that it goes.
#[derive(Debug)]
pub(crate) enum Payload {
    /// As the last argument of the script.
    Along(Vec<u8>),
    Staged(Staged),
}

/// A record that goes ahead of its script; the script gets the line before its data, and the name.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) name: String,
    pub(crate) text: Vec<u8>,
    /// How many milliseconds Redis is to keep the record.
    ttl: i64,
}

impl RedisStore {
    /// Makes the payload of a record at the place, as it stands at this revision.
    ///
    /// In a cluster none is staged: while a slot moves, a node runs no script of whose keys it has only some.
    pub(crate) fn payload(&self, place: &Place, record: &Record, revision: Revision, ttl: i64) -> Payload {
        let text = text::write(record, revision);
        if text.len() < LONG || self.link.is_cluster() {
            return Payload::Along(text);
        }
        Payload::Staged(Staged { name: self.prefix.stage(place.part, revision), text, ttl })
    }
}

impl Staged {
    /// Puts the script into a transaction, between the commands that stage the record and remove what the script did not want.
    pub(crate) fn around(&self, script: Cmd) -> Pipeline {
        let mut set = Cmd::with_capacity(5, self.name.len() + self.text.len() + 32);
        set.arg("SET").arg(&self.name).arg(&self.text).arg("PX").arg(self.ttl);
        let mut pipeline = Pipeline::with_capacity(5);
        pipeline.cmd("MULTI").add_command(set).add_command(script).cmd("UNLINK").arg(&self.name).cmd("EXEC");
        pipeline
    }

    /// Finds the script's answer among those of the transaction, which had no error.
    pub(crate) fn answer(answers: Vec<Value>) -> RedisResult<Value> {
        let ((), (), (), (), answers): ((), (), (), (), (Value, Value, Value)) =
            redis::from_redis_value(Value::Array(answers))?;
        Ok(answers.1)
    }
}
