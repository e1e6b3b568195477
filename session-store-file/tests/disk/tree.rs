//! The files of a store, as a test looks at them, and records to put there.

use std::fs;
use std::path::{Path, PathBuf};

use session_core::{Data, OwnerId, Record, SessionKey, Timestamp};
use session_store_file::{Durability, FileStore};

/// Opens a store for a test that is not about the loss of power.
pub(crate) async fn open(folder: &Path) -> FileStore {
    FileStore::open(folder).await.expect("the test's folder can be opened").with_durability(Durability::Relaxed)
}

/// Returns all files of a store that belong to records: all but the locks, the layout's number and the marks of a whole index.
pub(crate) fn stored_files(folder: &Path) -> Vec<PathBuf> {
    let parts = ["records", "sweep", "owners", "ended", "spare"];
    let files = parts.iter().flat_map(|part| files_below(&folder.join(part)));
    files.filter(|file| !file.ends_with("whole")).collect()
}

/// Returns all files below a folder, links included.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path())),
            _ => files.push(entry.path()),
        }
    }
    files
}

pub(crate) fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).expect("the test's key is visible ASCII")
}

pub(crate) fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).expect("the test's owner is plain")
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).expect("the test's time is in range")
}

/// A time that is far away: the year 2100.
pub(crate) const LATER: i64 = 4_102_444_800_000;

/// Makes a record that is live until the year 2100.
pub(crate) fn record(data: &str) -> Record {
    Record::new(Data::parse(data).expect("the test's data is an object"), at(1_767_268_800_000), at(LATER))
}
