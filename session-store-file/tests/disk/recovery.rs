//! What a crash leaves, made by hand: each state that a call goes through, and what the next calls make of it.

use std::fs;
use std::sync::Arc;

use session_core::{ManualClock, Page, Scope, SessionIndex as _, SessionStore as _, Timestamp};

use crate::tree::{LATER, at, files_below, key, open, owner, record, stored_files};

#[tokio::test]
async fn what_was_being_written_is_swept_and_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let staged = store.record_path(&key("a")).with_file_name("new");
    fs::write(&staged, "half a rec").expect("planted");
    store.create(&key("a"), &record("{}")).await.expect("created");
    assert!(!staged.exists());
    fs::write(&staged, "half a rec").expect("planted");
    assert_eq!(store.delete_expired(1).await.ok(), Some(0));
    assert!(!staged.exists());
}

#[tokio::test]
async fn a_rotation_that_stopped_before_the_rename_did_not_happen() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let revision = store.create(&key("a"), &record(r#"{"is":"old"}"#)).await.expect("created");
    store.create(&key("b"), &record(r#"{"is":"new"}"#)).await.expect("created");
    let appended = fs::read(store.record_path(&key("b"))).expect("readable");
    store.delete(&key("b")).await.expect("deleted");

    let old = fs::read(store.record_path(&key("a"))).expect("readable");
    for length in [1, appended.len() / 2, appended.len()] {
        fs::write(store.record_path(&key("a")), [&old, &appended[..length]].concat()).expect("mine");
        let (loaded, at_load) = store.load(&key("a")).await.expect("readable").expect("live");
        assert_eq!((loaded.data.as_str(), at_load), (r#"{"is":"old"}"#, revision), "{length}");
        assert!(store.load(&key("b")).await.expect("readable").is_none(), "{length}");
    }
    store.touch(&key("a"), at(LATER + 1)).await.expect("touched");
    let moved = store.rotate(&key("a"), revision, &key("c"), &record(r#"{"is":"moved"}"#)).await.expect("rotated");
    let (loaded, at_load) = store.load(&key("c")).await.expect("readable").expect("live");
    assert_eq!((loaded.data.as_str(), at_load), (r#"{"is":"moved"}"#, moved));
    let text = fs::read_to_string(store.record_path(&key("c"))).expect("readable");
    assert!(!text.contains("old") && !text.contains("\"new\""), "{text}");
}

#[tokio::test]
async fn a_rotation_that_stopped_after_the_rename_happened() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    for then in ["load", "touch", "update", "rotate", "rotate back", "delete", "sweep"] {
        store.create(&key("a"), &record(r#"{"is":"old"}"#)).await.expect("created");
        let revision = store.create(&key("b"), &record(r#"{"is":"new"}"#)).await.expect("created");
        let (old, new) = (store.record_path(&key("a")), store.record_path(&key("b")));
        let text = [fs::read(&old).expect("readable"), fs::read(&new).expect("readable")].concat();
        fs::write(&old, text).expect("mine");
        fs::rename(&old, &new).expect("mine");

        assert!(store.load(&key("a")).await.expect("readable").is_none());
        let (loaded, at_load) = store.load(&key("b")).await.expect("readable").expect("live");
        assert_eq!((loaded.data.as_str(), at_load), (r#"{"is":"new"}"#, revision));
        let mut holder = key("b");
        match then {
            "touch" => {
                store.touch(&key("b"), at(LATER + 5)).await.expect("touched");
                let (loaded, at_load) = store.load(&key("b")).await.expect("readable").expect("live");
                assert_eq!((loaded.expires_at, at_load), (at(LATER + 5), revision));
            }
            "update" => drop(store.update(&key("b"), revision, &record("{}")).await.expect("updated")),
            "rotate" | "rotate back" => {
                holder = key(if then == "rotate" { "c" } else { "a" });
                let again = record(r#"{"is":"again"}"#);
                store.rotate(&key("b"), revision, &holder, &again).await.expect("rotated");
                assert!(store.load(&key("b")).await.expect("readable").is_none());
                let text = fs::read_to_string(store.record_path(&holder)).expect("readable");
                assert!(text.contains("again") && !text.contains("old") && !text.contains("\"new\""), "{text}");
            }
            "sweep" => assert_eq!(store.delete_expired(9).await.ok(), Some(0)),
            _ => {}
        }
        assert_eq!(store.count(Scope::All).await.ok(), Some(1), "{then}");
        assert!(store.delete(&holder).await.expect("deleted"), "{then}");
        // The entries that a crash left of the old key go when they are due.
        let late = open(folder.path()).await.with_clock(ManualClock::new(Timestamp::MAX));
        assert_eq!(late.delete_expired(9).await.ok(), Some(0));
        assert!(stored_files(folder.path()).is_empty(), "{then}");
    }
}

#[tokio::test]
async fn entries_without_a_record_are_not_listed_and_go_when_they_are_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect("created");
    fs::remove_file(store.record_path(&key("a"))).expect("it was there");
    assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(0));
    assert_eq!(store.delete_expired(9).await.ok(), Some(0));
    let late = store.clone().with_clock(ManualClock::new(at(LATER)));
    assert_eq!(late.delete_expired(9).await.ok(), Some(0));
    assert!(files_below(folder.path()).iter().all(|file| !file.to_string_lossy().contains("ada")));
    assert!(stored_files(folder.path()).is_empty());
}

#[tokio::test]
async fn an_owner_that_a_crash_kept_from_the_record_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let (path, ada) = (store.record_path(&key("a")), record("{}").with_owner(owner("ada")));
    let revision = store.create(&key("a"), &ada).await.expect("created");
    let before = fs::read(&path).expect("readable");
    store.update(&key("a"), revision, &record("{}").with_owner(owner("bob"))).await.expect("updated");
    fs::write(&path, before).expect("mine");
    // Now the entries are bob's and the record is ada's.
    assert_eq!(store.delete_owned(&owner("bob"), None).await.ok(), Some(0));
    assert!(store.load(&key("a")).await.expect("readable").is_some());
    // A sweep looks at a few records, and makes again what they miss.
    for _ in 0..20 {
        assert_eq!(store.delete_expired(9).await.ok(), Some(0));
    }
    assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(1));
    assert_eq!(store.delete_owned(&owner("ada"), None).await.ok(), Some(1));
    let late = store.clone().with_clock(ManualClock::new(at(LATER)));
    assert_eq!(late.delete_expired(9).await.ok(), Some(0));
    assert!(stored_files(folder.path()).is_empty());
}

#[tokio::test]
async fn an_index_that_is_gone_comes_back_sweep_by_sweep() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    for number in 0..200 {
        let ada = record("{}").with_owner(owner("ada"));
        store.create(&key(&format!("k{number}")), &ada).await.expect("created");
    }
    for part in ["sweep", "owners"] {
        for entry in fs::read_dir(folder.path().join(part)).expect("it is there").flatten() {
            // The mark stays, as it may after a loss of power.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(0));
    for _ in 0..20 {
        assert_eq!(store.delete_expired(9).await.ok(), Some(0));
    }
    let page = Page::first(500);
    assert_eq!(store.list(Scope::Owner(&owner("ada")), &page).await.expect("listed").sessions.len(), 200);
    let late = store.clone().with_clock(ManualClock::new(at(LATER)));
    assert_eq!(late.delete_expired(500).await.ok(), Some(200));
    assert!(stored_files(folder.path()).is_empty());
}

#[tokio::test]
async fn a_touched_record_moves_to_a_later_entry_and_ends_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::new(at(1_000_000)));
    let store = open(folder.path()).await.with_clock(clock.clone());
    let mut short = record("{}").with_owner(owner("ada"));
    short.expires_at = at(2_000_000);
    store.create(&key("a"), &short).await.expect("created");
    store.touch(&key("a"), at(9_000_000)).await.expect("touched");
    clock.set(at(5_000_000));
    assert_eq!(store.delete_expired(9).await.ok(), Some(0));
    assert_eq!(stored_files(folder.path()).len(), 3, "the record and its entries");
    clock.set(at(9_000_000));
    assert_eq!(store.delete_expired(9).await.ok(), Some(1));
    assert!(stored_files(folder.path()).is_empty());
    assert_eq!(fs::read_dir(folder.path().join("sweep")).expect("it is there").count(), 1, "no folder stays");
}
