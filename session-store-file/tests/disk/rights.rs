//! Nobody else reads or writes what a store keeps (S21).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use session_core::{Error, SessionStore as _};
use session_store_file::FileStore;

use crate::tree::{files_below, key, open, owner, record};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn folders_are_0700_and_files_0600() {
    let parent = tempfile::tempdir().expect("a folder");
    let root = parent.path().join("below/sessions");
    let store = open(&root).await;
    let created = store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect("created");
    store.rotate(&key("a"), created, &key("b"), &record("{}")).await.expect("rotated");

    for file in files_below(&root) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for folder in file.ancestors().skip(1).take_while(|folder| *folder != parent.path().join("below")) {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
}

#[tokio::test]
async fn a_folder_that_lost_its_rights_is_closed_again() {
    let parent = tempfile::tempdir().expect("a folder");
    open(parent.path()).await;
    let shard = parent.path().join("records/00");
    fs::set_permissions(&shard, fs::Permissions::from_mode(0o755)).expect("mine");
    open(parent.path()).await;
    assert_eq!(mode(&shard), 0o700);
}

#[tokio::test]
async fn a_folder_that_is_open_to_all_is_refused() {
    let parent = tempfile::tempdir().expect("a folder");
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o777)).expect("mine");
    assert!(matches!(FileStore::open(parent.path()).await, Err(Error::Backend(_))));
}
