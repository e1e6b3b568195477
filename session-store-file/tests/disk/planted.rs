//! What somebody else puts into the store's folder is `Corrupt`: never followed, never waited for, and deletable.

use std::fs;
use std::path::Path;

use session_core::{Error, SessionIndex as _, SessionStore as _};
use session_store_file::FileStore;

use crate::tree::{key, open, record, stored_files};

/// Checks that every call refuses what is planted under `p`, that it stays, and that it can be deleted.
async fn check(store: &FileStore, folder: &Path, what: &str) {
    let (p, other) = (key("p"), key("other"));
    let revision = store.create(&other, &record("{}")).await.expect("created");
    let outcomes = [
        ("load", store.load(&p).await.err()),
        ("update", store.update(&p, revision, &record("{}")).await.err()),
        ("touch", store.touch(&p, session_core::Timestamp::MAX).await.err()),
        ("rotate from it", store.rotate(&p, revision, &key("q"), &record("{}")).await.err()),
    ];
    for (call, error) in outcomes {
        assert!(matches!(error, Some(Error::Corrupt(_))), "{what}, {call}: {error:?}");
    }
    let outcomes = [
        ("create", store.create(&p, &record("{}")).await.err()),
        ("rotate to it", store.rotate(&other, revision, &p, &record("{}")).await.err()),
    ];
    for (call, error) in outcomes {
        assert!(matches!(error, Some(Error::AlreadyExists)), "{what}, {call}: {error:?}");
    }
    assert_eq!(store.delete_expired(100).await.ok(), Some(0), "{what}");
    assert!(fs::symlink_metadata(store.record_path(&p)).is_ok(), "{what} stays stored");
    assert!(store.load(&other).await.expect("readable").is_some(), "{what}: others are unaffected");
    assert_eq!(store.count(session_core::Scope::All).await.ok(), Some(1), "{what}");

    assert_eq!(store.delete(&p).await.ok(), Some(true), "{what}");
    assert!(store.load(&p).await.expect("gone").is_none(), "{what}");
    assert!(store.delete(&other).await.expect("deleted"));
    assert!(stored_files(folder).is_empty(), "{what}: {:?}", stored_files(folder));
}

#[tokio::test]
async fn files_that_are_no_records_are_corrupt() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    store.create(&key("source"), &record(r#"{"a":1}"#)).await.expect("created");
    let source = fs::read(store.record_path(&key("source"))).expect("readable");
    store.delete(&key("source")).await.expect("deleted");
    let plants: [(&str, Vec<u8>); 5] = [
        ("nothing", Vec::new()),
        ("garbage", b"\0garbage\xff".to_vec()),
        ("json", b"{}".to_vec()),
        ("another version", String::from_utf8_lossy(&source).replacen("file 1", "file 2", 1).into_bytes()),
        ("another session's record", source),
    ];
    for (what, bytes) in plants {
        fs::write(store.record_path(&key("p")), bytes).expect("planted");
        check(&store, folder.path(), what).await;
    }
}

#[tokio::test]
async fn data_that_is_cut_or_changed_is_corrupt_and_deletable() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let path = store.record_path(&key("a"));
    for is_cut in [true, false] {
        store.create(&key("a"), &record(r#"{"a":1}"#)).await.expect("created");
        let mut bytes = fs::read(&path).expect("readable");
        let position = bytes.len() - 2;
        if is_cut {
            bytes.truncate(position);
        } else {
            bytes[position] = b'2';
        }
        fs::write(&path, bytes).expect("mine");
        assert!(matches!(store.load(&key("a")).await, Err(Error::Corrupt(_))));
        assert!(store.create(&key("a"), &record("{}")).await.is_err());
        assert_eq!(store.delete(&key("a")).await.ok(), Some(true));
        assert!(stored_files(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn a_folder_is_corrupt() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    fs::create_dir_all(store.record_path(&key("p")).join("with/more")).expect("planted");
    check(&store, folder.path(), "a folder").await;
}

#[tokio::test]
async fn a_file_without_end_is_corrupt_and_fills_no_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let file = fs::File::create(store.record_path(&key("p"))).expect("planted");
    file.set_len(1 << 40).expect("sparse");
    check(&store, folder.path(), "a terabyte").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_never_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let store = open(folder.path()).await;
    // The most tempting target: a record that would be right under this very name.
    store.create(&key("p"), &record("{}")).await.expect("created");
    let target = elsewhere.path().join("record");
    fs::copy(store.record_path(&key("p")), &target).expect("copied");
    store.delete(&key("p")).await.expect("deleted");
    let before = fs::read(&target).expect("readable");

    for to in [target.as_path(), elsewhere.path(), Path::new("/nowhere/at/all")] {
        std::os::unix::fs::symlink(to, store.record_path(&key("p"))).expect("planted");
        check(&store, folder.path(), &format!("a link to {}", to.display())).await;
    }
    assert_eq!(fs::read(&target).expect("still there"), before);
    assert_eq!(fs::read_dir(elsewhere.path()).expect("still there").count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_place_of_what_is_being_written_is_not_written_through() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let store = open(folder.path()).await;
    let target = elsewhere.path().join("precious");
    fs::write(&target, "as it was").expect("written");
    let staged = store.record_path(&key("a")).with_file_name("new");
    for is_hard in [false, true] {
        if is_hard {
            fs::hard_link(&target, &staged).expect("planted");
        } else {
            std::os::unix::fs::symlink(&target, &staged).expect("planted");
        }
        store.create(&key("a"), &record("{}")).await.expect("created");
        assert!(store.load(&key("a")).await.expect("readable").is_some());
        assert!(store.delete(&key("a")).await.expect("deleted"));
    }
    assert_eq!(fs::read_to_string(&target).expect("still there"), "as it was");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_makes_nobody_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let made = std::process::Command::new("mkfifo").arg(store.record_path(&key("p"))).status();
    assert!(made.expect("every Unix has mkfifo").success());
    check(&store, folder.path(), "a pipe").await;
}
