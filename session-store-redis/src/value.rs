//! What a script writes: a value that goes along with it or, if it is long, ahead of it.

use redis::{Cmd, Pipeline};
use session_core::{Record, Revision};

use crate::RedisStore;
use crate::keys::Place;
use crate::text;

/// From how many bytes on a value is long.
///
/// Redis hashes each byte of what it hands to Lua, which takes longer than everything else that it does with a long value, and
/// serves nobody meanwhile. From here on it is faster to set the value under a name of its own, which the script renames.
const LONG: usize = 4096;

/// A value, and where it is staged if it is long.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) text: Vec<u8>,
    pub(crate) stage: Option<Stage>,
}

/// Where a value is until its script comes.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: String,
    /// After how many milliseconds it ends by itself, if the connection broke before the script.
    lease: i64,
}

impl RedisStore {
    /// Makes the value of a record at the place, as it stands at this revision.
    ///
    /// In a cluster none is staged: while a slot moves, two of its keys may be on two nodes, and no script reaches both.
    pub(crate) fn value(&self, place: &Place, record: &Record, revision: Revision) -> Value {
        let text = text::write(record, revision);
        let is_staged = text.len() >= LONG && !self.link.is_cluster();
        let stage = is_staged.then(|| Stage { name: self.prefix.stage(place.part, revision), lease: self.lease() });
        Value { text, stage }
    }
}

impl Stage {
    /// Puts the script between the commands that stage the value and remove what it did not want, for one round trip.
    pub(crate) fn around(&self, script: Cmd, text: &[u8]) -> Pipeline {
        let mut set = Cmd::with_capacity(5, self.name.len() + text.len() + 32);
        set.arg("SET").arg(&self.name).arg(text).arg("PX").arg(self.lease);
        let mut pipeline = Pipeline::with_capacity(3);
        pipeline.add_command(set).add_command(script).cmd("UNLINK").arg(&self.name);
        pipeline
    }
}
