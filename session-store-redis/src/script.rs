//! The scripts that run in Redis, and what they answer.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Pipeline};
use session_core::{Error, Result};

use crate::part::{SETS, TAGS};
use crate::payload::{Payload, Staged};
use crate::text;

/// How much later than its score in the index a record may expire. A write that moves the expiry by less mostly leaves the
/// index alone.
pub(crate) const QUANTUM: Duration = Duration::from_secs(10);

/// How much longer Redis keeps a record than it lives: as much may the clocks of two machines differ.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// How much longer than its records a set of the index is kept at most.
const SLACK: Duration = Duration::from_secs(600);

/// A script, with the digest that Redis knows it by after the first call.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    digest: String,
}

impl Script {
    fn new(pieces: &[&str]) -> Self {
        let [quantum, grace, slack] = [QUANTUM, GRACE, SLACK].map(|duration| duration.as_millis());
        let text = format!("local QUANTUM, GRACE, SLACK = {quantum}, {grace}, {slack}\n{}", pieces.concat());
        let digest = redis::Script::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    /// Begins a call by digest. The script uses the keys, and not the guards that are declared after them.
    pub(crate) fn call(&'static self, keys: &[&str], guards: &[String]) -> Call {
        self.call_with_room(keys, guards, 0)
    }

    /// The same with room for the payload that it [ends](Call::payload) with.
    pub(crate) fn writing(&'static self, keys: &[&str], guards: &[String], payload: &Payload) -> Call {
        let Payload::Along(text) = payload else { return self.call(keys, guards) };
        self.call_with_room(keys, guards, text.len())
    }

    fn call_with_room(&'static self, keys: &[&str], guards: &[String], bytes: usize) -> Call {
        let count = keys.len() + guards.len();
        let mut command = Cmd::with_capacity(3 + count + MOST_ARGUMENTS, ROOM + bytes);
        command.arg("EVALSHA").arg(&self.digest).arg(count).arg(keys).arg(guards);
        Call { script: self, command, staged: None }
    }
}

/// How many arguments a script has at most.
const MOST_ARGUMENTS: usize = 8;

/// The bytes of a call mostly, but for a record.
const ROOM: usize = 320;

/// A call of a script.
#[derive(Debug)]
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
    staged: Option<Staged>,
}

/// What goes to Redis in one round trip.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    One(Cow<'a, Cmd>),
    /// A transaction around it.
    Staged(Pipeline),
}

impl Call {
    pub(crate) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.command.arg(argument.as_ref());
        self
    }

    pub(crate) fn number(mut self, argument: impl Into<i64>) -> Self {
        self.command.arg(argument.into());
        self
    }

    /// Ends the arguments with the record, or with the line before its data and the name where it is staged.
    pub(crate) fn payload(mut self, payload: Payload) -> Self {
        match payload {
            Payload::Along(text) => _ = self.command.arg(text),
            Payload::Staged(staged) => {
                self.command.arg(text::line(&staged.text)).arg(&staged.name);
                self.staged = Some(staged);
            }
        }
        self
    }

    /// Returns the request to a server that knows the script.
    pub(crate) fn by_digest(&self) -> Request<'_> {
        self.request(Cow::Borrowed(&self.command))
    }

    /// Returns the request that brings the script along, for a server that was started or became master since.
    pub(crate) fn by_text(&self) -> Request<'_> {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.script.text);
        for argument in self.command.args_iter().skip(2) {
            if let redis::Arg::Simple(argument) = argument {
                command.arg(argument);
            }
        }
        self.request(Cow::Owned(command))
    }

    fn request<'a>(&self, script: Cow<'a, Cmd>) -> Request<'a> {
        match &self.staged {
            None => Request::One(script),
            Some(staged) => Request::Staged(staged.around(script.into_owned())),
        }
    }
}

macro_rules! script {
    ($name:ident, $($file:literal),+) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(&[$(include_str!($file)),+]));
    };
}

script!(CREATE, "lua/put.lua", "lua/head.lua", "lua/over.lua", "lua/create.lua");
script!(UPDATE, "lua/put.lua", "lua/plain.lua", "lua/head.lua", "lua/update.lua");
script!(TOUCH, "lua/later.lua", "lua/head.lua", "lua/touch.lua");
script!(ROTATE, "lua/put.lua", "lua/head.lua", "lua/rotate.lua");
script!(DELETE, "lua/head.lua", "lua/delete.lua");

/// The steps of a rotation between two parts of a cluster.
#[cfg(feature = "cluster")]
mod steps {
    use super::*;

    script!(RESERVE, "lua/head.lua", "lua/reserve.lua");
    script!(TAKE, "lua/head.lua", "lua/take.lua");
    script!(CONFIRM, "lua/head.lua", "lua/confirm.lua");
    script!(RELEASE, "lua/head.lua", "lua/release.lua");
    script!(DECIDE, "lua/decide.lua");
    script!(FORGET, "lua/forget.lua");
    script!(MARK, "lua/mark.lua");
}
#[cfg(feature = "cluster")]
pub(crate) use steps::{CONFIRM, DECIDE, FORGET, MARK, RELEASE, RESERVE, TAKE};

/// The scripts about several parts know the tags.
macro_rules! script_of_parts {
    ($name:ident, $($file:literal),+) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let tags = TAGS.map(|tag| tag.to_string()).join(",");
            let tags = format!("local TAGS, SETS = {{{tags}}}, {SETS}\n");
            Script::new(&[&tags, include_str!("lua/head.lua"), include_str!("lua/parts.lua"), $(include_str!($file)),+])
        });
    };
}

script_of_parts!(LIST, "lua/list.lua");
script_of_parts!(COUNT, "lua/count.lua");
script_of_parts!(SWEEP, "lua/over.lua", "lua/sweep.lua");
script_of_parts!(DELETE_OWNED, "lua/delete_owned.lua");
script_of_parts!(CLEAR, "lua/clear.lua");

/// What a script answers when it has done what it was asked for.
pub(crate) const DONE: i64 = 1;

/// What a script answers with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    NotFound,
    Conflict,
    AlreadyExists,
    Corrupt,
    /// A rotation between two parts has not finished with the key.
    Pending,
    /// The same for the key that is to be rotated to.
    NewPending,
}

impl Outcome {
    /// Reads the number, as the last line of `head.lua` gives them.
    pub(crate) fn of(number: i64) -> Result<Self> {
        match number {
            DONE => Ok(Self::Done),
            2 => Ok(Self::NotFound),
            3 => Ok(Self::Conflict),
            4 => Ok(Self::AlreadyExists),
            5 => Ok(Self::Corrupt),
            6 => Ok(Self::Pending),
            7 => Ok(Self::NewPending),
            _ => Err(Error::backend("a script gave an answer that is not its own")),
        }
    }

    /// Turns everything but success into its refusal.
    pub(crate) fn done(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::NotFound => Err(Error::NotFound),
            Self::Conflict => Err(Error::Conflict),
            Self::AlreadyExists => Err(Error::AlreadyExists),
            Self::Corrupt => Err(Error::corrupt("the stored text is not of a format that is known")),
            Self::Pending | Self::NewPending => Err(Error::unavailable("a rotation of the session does not end")),
        }
    }
}
