//! Processes that share a folder: the lock holds between them.

use std::process::Stdio;

use session_core::{Error, SessionStore as _};
use session_store_file::FileStore;

use crate::child;
use crate::tree::{key, open, record};

const ROUNDS: u32 = 200;

#[tokio::test]
async fn two_processes_that_count_lose_nothing() {
    if let Some((folder, _)) = child::role() {
        return count(&open(&folder).await).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    store.create(&key("counter"), &record(r#"{"n":0}"#)).await.expect("created");
    let start = || {
        child::command("processes::two_processes_that_count_lose_nothing", folder.path(), "")
            .stdout(Stdio::null())
            .spawn()
            .expect("started")
    };
    let children = [start(), start()];
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    let (record, _) = store.load(&key("counter")).await.expect("readable").expect("live");
    assert_eq!(record.data.get::<u32>("n").expect("a number"), Some(2 * ROUNDS));
}

async fn count(store: &FileStore) {
    for _ in 0..ROUNDS {
        loop {
            let (loaded, revision) = store.load(&key("counter")).await.expect("readable").expect("live");
            let n = loaded.data.get::<u32>("n").expect("a number").expect("it is there");
            match store.update(&key("counter"), revision, &record(&format!(r#"{{"n":{}}}"#, n + 1))).await {
                Ok(_) => break,
                Err(Error::Conflict) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn ten_processes_open_one_new_folder() {
    if let Some((folder, number)) = child::role() {
        let store = open(&folder).await;
        store.create(&key(&number), &record("{}")).await.expect("created");
        return;
    }
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("new/sessions");
    let children: Vec<_> = (0..10)
        .map(|number| {
            let test = "processes::ten_processes_open_one_new_folder";
            let mut command = child::command(test, &folder, &number.to_string());
            command.stdout(Stdio::null()).spawn().expect("started")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    let store = open(&folder).await;
    for number in 0..10 {
        assert!(store.load(&key(&number.to_string())).await.expect("readable").is_some(), "{number}");
    }
}
