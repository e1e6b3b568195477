//! What is fuzzed: every place that reads what a client sent or what somebody may have written into a backend.
//!
//! Each target takes any bytes and panics where a promise is broken: what is read is what was written, what does not verify is not
//! accepted, and no input is a panic of its own. `fuzz_targets` hands them to libFuzzer, `tests/corpus.rs` replays what it found.
#![forbid(unsafe_code)]

mod cookies;
mod data;
mod express;
mod file;
mod ids;
mod mongo;
mod redis;
mod sealed;
mod sqlite;

// All that the files below want of the driver.
extern crate self as mongodb;
pub use bson;

// Decoders that only a server or a disk reaches: their own files, compiled here.
#[allow(dead_code, reason = "what else is in the file is not used")]
#[path = "../../session-store-mongo/src/document.rs"]
mod document;
#[allow(dead_code, reason = "what else is in the file is not used")]
#[path = "../../session-store-redis/src/part.rs"]
mod part;
#[allow(dead_code, reason = "what else is in the file is not used")]
#[path = "../../session-store-file/src/record.rs"]
mod record;
#[allow(dead_code, reason = "what else is in the file is not used")]
#[path = "../../session-store-redis/src/record.rs"]
mod redis_record;

pub use cookies::cookies;
pub use data::data;
pub use express::express;
pub use file::file;
pub use ids::ids;
pub use mongo::mongo;
pub use redis::redis;
pub use sealed::sealed;
pub use sqlite::sqlite;

/// A target: takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("cookies", cookies),
    ("data", data),
    ("express", express),
    ("file", file),
    ("ids", ids),
    ("mongo", mongo),
    ("redis", redis),
    ("sealed", sealed),
    ("sqlite", sqlite),
];

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the machine has threads");
}

/// Runs a call of a store to its end.
fn wait<T>(call: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(call))
}

/// Takes the text up to the next line break off the input.
fn line<'i>(input: &mut &'i [u8]) -> &'i [u8] {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let line = &input[..end];
    *input = input.get(end + 1..).unwrap_or_default();
    line
}

/// Says that what a store answered to a planted record is one of the answers that it may give.
fn may_be_answered<T>(answer: &session_core::Result<T>) {
    match answer {
        Ok(_) | Err(session_core::Error::Corrupt(_)) => {}
        Err(other) => panic!("a planted record is refused as {other:?}"),
    }
}
