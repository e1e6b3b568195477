//! Writers at once, and locks.

use std::time::Duration;

use session_core::{Error, Scope, SessionIndex, SessionStore};

use super::{Folder, key, open, record};
use crate::{SqliteOptions, SqliteStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_handles_that_open_one_new_file_at_once_all_work() {
    for round in 0..50 {
        let folder = Folder::new();
        let handles: Vec<_> = (0..10)
            .map(|number| {
                let file = folder.file();
                tokio::spawn(async move {
                    let store = open(&file).await;
                    store.setup().await.expect("the others finish");
                    store.create(&key(number), &record("{}")).await.expect("a new key");
                    store
                })
            })
            .collect();
        for handle in handles {
            let store = handle.await.expect("no task panics");
            store.setup().await.expect("again changes nothing");
        }
        let store = folder.store().await;
        assert_eq!(store.count(Scope::All).await.expect("a good file"), 10, "in round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_are_never_busy_in_each_others_way() {
    let folder = Folder::new();
    let ours = folder.store().await;
    // A second handle with an application's own pool of many connections, which all may write.
    let theirs = SqliteStore::new(folder.pool(8).await);
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let store = if writer % 2 == 0 { ours.clone() } else { theirs.clone() };
            tokio::spawn(async move {
                for step in 0..50 {
                    let key = key(format_args!("{writer}-{step}"));
                    let revision = store.create(&key, &record("{}")).await.expect("a new key");
                    store.update(&key, revision, &record(r#"{"a":1}"#)).await.expect("the revision is right");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer is refused");
    }
    assert_eq!(ours.count(Scope::All).await.expect("a good file"), 32 * 50);
}

#[tokio::test]
async fn a_call_that_fails_does_not_fail_those_that_are_written_with_it() {
    let folder = Folder::new();
    let store = folder.store().await;
    let nowhere = store.clone().with_table("nowhere").expect("a plain name");
    let (key, record) = (key("a"), record("{}"));
    // All three are in the line before the writer's first turn: this runtime has one thread.
    let (refused, created, swept) =
        tokio::join!(nowhere.create(&key, &record), store.create(&key, &record), store.delete_expired(1));
    assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
    assert_eq!(swept.ok(), Some(0));
    let (_, revision) = store.load(&key).await.expect("a good file").expect("it was created");
    assert_eq!(created.ok(), Some(revision));
}

#[tokio::test]
async fn a_dropped_call_does_not_take_the_others_with_it() {
    let folder = Folder::new();
    let store = folder.store().await;
    let (first, second, record) = (key("first"), key("second"), record("{}"));
    // Its turn comes when another process has written.
    let other = folder.pool(1).await;
    let holder = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
    {
        let mut dropped = Box::pin(store.create(&first, &record));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(dropped.as_mut().poll(&mut context).is_pending());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    holder.rollback().await.expect("the lock was held");
    store.create(&second, &record).await.expect("the writer went on");
    // Nobody waited for the first call when its turn came, so it was not written.
    assert_eq!(store.load(&first).await.expect("a good file"), None);
}

#[test]
fn the_store_outlives_the_runtime_of_its_writer() {
    let folder = Folder::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (store, record) = (runtime().block_on(folder.store()), record("{}"));
    // The writer's task is made, and its runtime ends before it gets a turn.
    let abandoned = key("abandoned");
    let first = runtime();
    first.block_on(async {
        let mut call = Box::pin(store.create(&abandoned, &record));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
    });
    drop(first);
    let created = runtime().block_on(store.create(&key("b"), &record));
    assert!(created.is_ok(), "{created:?}");
}

#[tokio::test]
async fn an_outage_is_unavailable_and_passes() {
    let folder = Folder::new();
    drop(folder.store().await);
    let location = folder.file();
    let options = SqliteOptions::new(location.to_str().expect("a plain path")).expect("a file");
    let store = options.with_busy_timeout(Duration::from_millis(20)).open().await.expect("a good file");
    let other = folder.pool(1).await;
    let holder = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
    let calls = [store.delete_expired(1).await.map(u64::from), store.clear().await];
    for outcome in calls {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    // Several at once wait once, not one after the other, and are all told.
    let (first, second) = tokio::join!(store.clear(), store.clear());
    assert!(matches!((first, second), (Err(Error::Unavailable(_)), Err(Error::Unavailable(_)))));
    assert_eq!(store.load(&key("a")).await.expect("readers do not wait for writers"), None);
    holder.rollback().await.expect("the lock was held");
    assert_eq!(store.clear().await.expect("the same handle works again"), 0);
}
