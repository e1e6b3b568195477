//! Opening, and a folder that goes away.

use std::fs;

use session_core::{Error, Page, Scope, SessionIndex as _, SessionStore as _};
use session_store_file::FileStore;

use crate::tree::{at, key, open, owner, record};

#[tokio::test]
async fn another_layout_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await;
    fs::write(folder.path().join("layout"), "session-store-file layout 2\n").expect("mine");
    assert!(matches!(FileStore::open(folder.path()).await, Err(Error::Backend(_))));
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
