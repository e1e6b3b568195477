//! Opening, and a folder that goes away.

use std::fs;

use session_core::{Error, LayoutError, Page, Scope, SessionIndex as _, SessionStore as _};
use session_store_file::FileStore;

use crate::tree::{at, key, open, owner, record, stored_files};

#[tokio::test]
async fn a_later_layout_and_another_program_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let file = folder.path().join("layout");
    for (text, reason) in [
        ("session-store-file layout 3\n", LayoutError::Newer { found: 3, known: 2 }),
        ("the layout of a theatre", LayoutError::Foreign),
    ] {
        fs::write(&file, text).expect("mine");
        let outcomes = [store.setup().await, store.verify().await];
        for outcome in outcomes {
            assert_eq!(outcome.expect_err("not ours").layout(), Some(&reason));
        }
        assert_eq!(fs::read_to_string(&file).expect("readable"), text);
    }
    let other = tempfile::tempdir().expect("a folder");
    fs::create_dir(other.path().join("records")).expect("mine");
    let error = FileStore::open(other.path()).await.expect_err("a record shop's");
    assert_eq!(error.layout(), Some(&LayoutError::Foreign));
    assert_eq!(fs::read_dir(other.path()).expect("readable").count(), 1);
}

#[tokio::test]
async fn an_earlier_layout_is_taken_to_the_present_one_with_its_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect("created");
    // What layout 1 had of it: one more folder above each sweep entry, no marks, nothing spare.
    for part in ["sweep", "owners", "spare", "ended"] {
        fs::remove_dir_all(folder.path().join(part)).expect("it was there");
    }
    let old = folder.path().join("sweep/4102444/80/a");
    fs::create_dir_all(&old).expect("mine");
    fs::write(old.join("an old entry"), "").expect("mine");
    fs::write(folder.path().join("layout"), "session-store-file layout 1\n").expect("mine");

    let new = FileStore::new(folder.path()).expect("a path");
    let error = new.verify().await.expect_err("verify changes nothing");
    assert_eq!(error.layout(), Some(&LayoutError::Older { found: 1, needed: 2 }));
    new.setup().await.expect("taken on");
    new.verify().await.expect("complete");
    assert!(!old.exists());
    assert_eq!(new.delete_owned(&owner("ada"), None).await.ok(), Some(1));
    assert!(stored_files(folder.path()).is_empty());
}

#[tokio::test]
async fn verify_says_what_is_missing_and_makes_nothing() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("s");
    let store = FileStore::new(&folder).expect("a path");
    let reason = async || store.verify().await.err().and_then(|error| error.layout().cloned());
    assert_eq!(reason().await, Some(LayoutError::Absent));
    assert!(!folder.exists());
    fs::create_dir(&folder).expect("mine");
    assert_eq!(reason().await, Some(LayoutError::Absent));
    assert_eq!(fs::read_dir(&folder).expect("readable").count(), 0);
    store.setup().await.expect("made");
    assert_eq!(reason().await, None);
    fs::remove_dir(folder.join("records/ab")).expect("it is empty");
    assert_eq!(reason().await, Some(LayoutError::Incomplete { part: "records/ab".into() }));
    assert!(!folder.join("records/ab").exists());
}

#[tokio::test]
async fn a_folder_that_was_removed_works_again_after_a_setup_under_the_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("s");
    let store = open(&folder).await;
    store.create(&key("a"), &record("{}")).await.expect("created");
    fs::remove_dir_all(&folder).expect("it was there");
    assert!(matches!(store.load(&key("a")).await, Err(Error::Unavailable(_))));
    store.setup().await.expect("made");
    assert!(store.load(&key("a")).await.expect("absent").is_none());
    store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect("created");
    assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_place_of_a_folder_is_refused() {
    for name in ["records", "records/ab", "locks", "sweep", "owners"] {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        open(folder.path()).await;
        fs::remove_dir_all(folder.path().join(name)).expect("it was there");
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(name)).expect("linked");
        assert!(matches!(FileStore::open(folder.path()).await, Err(Error::Backend(_))), "{name}");
        assert_eq!(fs::read_dir(elsewhere.path()).expect("it is there").count(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_folder_that_is_away_is_an_outage_and_comes_back() {
    let parent = tempfile::tempdir().expect("a folder");
    let (folder, away) = (parent.path().join("sessions"), parent.path().join("away"));
    let store = open(&folder).await;
    let revision = store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect("created");
    fs::rename(&folder, &away).expect("moved");

    let (ada, page) = (owner("ada"), Page::first(10));
    let outcomes = [
        ("create", store.create(&key("b"), &record("{}")).await.err()),
        ("load", store.load(&key("a")).await.err()),
        ("load of nothing", store.load(&key("b")).await.err()),
        ("update", store.update(&key("a"), revision, &record("{}")).await.err()),
        ("touch", store.touch(&key("a"), at(9)).await.err()),
        ("rotate", store.rotate(&key("a"), revision, &key("c"), &record("{}")).await.err()),
        ("delete", store.delete(&key("a")).await.err()),
        ("delete_expired", store.delete_expired(10).await.err()),
        ("list", store.list(Scope::All, &page).await.err()),
        ("list of an owner", store.list(Scope::Owner(&ada), &page).await.err()),
        ("count", store.count(Scope::All).await.err()),
        ("count of an owner", store.count(Scope::Owner(&ada)).await.err()),
        ("delete_owned", store.delete_owned(&ada, None).await.err()),
        ("clear", store.clear().await.err()),
    ];
    for (call, error) in outcomes {
        assert!(matches!(error, Some(Error::Unavailable(_))), "{call}: {error:?}");
    }
    assert!(!folder.exists(), "no call makes the folder again");

    fs::rename(&away, &folder).expect("moved back");
    assert!(store.load(&key("a")).await.expect("back").is_some());
}

#[tokio::test]
async fn a_change_of_the_working_directory_does_not_move_a_store() {
    let store = FileStore::open("target/../../target/tmp-session-store-file").await.expect("opened");
    assert!(store.record_path(&key("a")).is_absolute());
    fs::remove_dir_all("../target/tmp-session-store-file").expect("it was made there");
}
