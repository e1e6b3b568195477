//! How much of a disk a session takes: the numbers of the README.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use session_core::SessionStore as _;

use crate::tree::{key, open, owner, record};

const SESSIONS: u64 = 10_000;

fn bytes_below(folder: &Path) -> u64 {
    let mut bytes = fs::symlink_metadata(folder).expect("it is there").blocks() * 512;
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let blocks = || entry.metadata().map_or(0, |metadata| metadata.blocks());
        // All entries of the index are names of the lock files, which are empty.
        bytes += if is_folder { bytes_below(&entry.path()) } else { blocks() * 512 };
    }
    bytes
}

#[tokio::test]
#[ignore = "measures: run with --ignored --nocapture"]
async fn bytes_per_session() {
    for (length, has_owner) in [(200, false), (200, true), (2048, true), (8192, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path()).await;
        let empty = bytes_below(folder.path());
        let data = format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
        let record = record(&data);
        let record = if has_owner { record.with_owner(owner("ada")) } else { record };
        for number in 0..SESSIONS {
            store.create(&key(&format!("{number:064}")), &record).await.expect("created");
        }
        let each = (bytes_below(folder.path()) - empty) / SESSIONS;
        println!("{length} bytes of data, owner: {has_owner}: {each} bytes a session; {empty} bytes without any");
    }
}
