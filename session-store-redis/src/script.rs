//! The scripts that run in Redis, and what they answer.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Cmd;
use session_core::{Error, Result, Timestamp};

use crate::names::Names;
use crate::record::time_text;

/// How much longer Redis keeps a record than it lives: as much may the clocks of two machines differ.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// How many sessions one script looks at, at most: what is more comes in steps, so that Redis serves others between them.
pub(crate) const STEP: u32 = 500;

/// How many sets of all a part has, so that none becomes large: on one server, and in a cluster, which has 32 parts.
const SETS: [u32; 2] = [1024, 32];

/// A script, and the digests that Redis knows it by after the first call, for one server and for a cluster.
#[derive(Debug)]
pub(crate) struct Script([Text; 2]);

#[derive(Debug)]
struct Text {
    text: String,
    digest: String,
}

/// Whether a script may run when Redis' memory is full: if it ends sessions or frees room, or nearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenFull {
    Runs,
    IsRefused,
}

impl Script {
    fn new(when_full: WhenFull, script: &str) -> Self {
        let flags = if when_full == WhenFull::Runs { "allow-oom" } else { "" };
        Self(SETS.map(|sets| {
            let head = include_str!("lua/record.lua");
            let text = format!("#!lua flags={flags}\nlocal SETS, STEP = {sets}, {STEP}\n{head}{script}");
            let digest = redis::Script::new(&text).get_hash().to_owned();
            Text { text, digest }
        }))
    }

    /// Begins a call. The script uses the keys, and not the guards of the part that are declared after them.
    pub(crate) fn call(&'static self, names: &Names, part: u16, keys: &[&str]) -> Call {
        self.call_with_room(names, part, keys, 0)
    }

    /// The same with room for a record of so many bytes.
    pub(crate) fn call_with_room(&'static self, names: &Names, part: u16, keys: &[&str], bytes: usize) -> Call {
        let (text, guards) = (&self.0[usize::from(names.is_cluster())], names.guards(part));
        let mut command = Cmd::with_capacity(12, 320 + bytes);
        command.arg("EVALSHA").arg(&text.digest).arg(keys.len() + guards.len()).arg(keys).arg(&guards);
        Call { text, part, command, bytes }
    }
}

/// A call of a script.
#[derive(Debug)]
pub(crate) struct Call {
    text: &'static Text,
    pub(crate) part: u16,
    command: Cmd,
    /// How long the record in it is.
    pub(crate) bytes: usize,
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

    pub(crate) fn time(self, time: Timestamp) -> Self {
        self.arg(time_text(time))
    }

    /// Returns the command to a server that knows the script.
    pub(crate) fn by_digest(&self) -> &Cmd {
        &self.command
    }

    /// Returns the command that brings the script along, for a server that was started or became master since.
    pub(crate) fn by_text(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.text.text);
        for argument in self.command.args_iter().skip(2) {
            if let redis::Arg::Simple(argument) = argument {
                command.arg(argument);
            }
        }
        command
    }
}

macro_rules! script {
    ($name:ident, $when_full:ident, $file:literal) => {
        pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(WhenFull::$when_full, include_str!($file)));
    };
}

script!(CREATE, IsRefused, "lua/create.lua");
script!(UPDATE, IsRefused, "lua/update.lua");
script!(TOUCH, Runs, "lua/touch.lua");
script!(ROTATE, IsRefused, "lua/rotate.lua");
script!(DELETE, Runs, "lua/delete.lua");
script!(SWEEP, Runs, "lua/sweep.lua");
script!(LIST, Runs, "lua/list.lua");
script!(COUNT, Runs, "lua/count.lua");
script!(DELETE_OWNED, Runs, "lua/delete_owned.lua");
script!(CLEAR, Runs, "lua/clear.lua");
// What has been begun is to come to its end.
#[cfg(feature = "cluster")]
script!(ROTATION, Runs, "lua/rotation.lua");

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
    /// Reads the number, as the first lines of `record.lua` give them.
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
