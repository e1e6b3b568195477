//! Files that are replaced, removed or called strangely, callers that wait together, runtimes that stand still.

use std::path::Path;
use std::time::{Duration, Instant};

use session_core::{Error, LayoutError, Scope, SessionIndex, SessionStore};

use super::{Folder, HOUR, key, open, owner, record};
use crate::{SqliteOptions, SqliteStore};

#[tokio::test]
async fn a_file_that_was_replaced_is_the_one_that_counts() {
    let folder = Folder::new();
    let store = folder.store().await;
    store.create(&key("old"), &record("{}")).await.expect("a new key");
    assert!(store.load(&key("old")).await.expect("a good file").is_some());
    let other = Folder::new();
    let restored = other.store().await;
    restored.create(&key("new"), &record("{}")).await.expect("a new key");
    restored.close().await;
    for end in ["", "-wal", "-shm"] {
        let mut name = folder.file().into_os_string();
        name.push(end);
        std::fs::remove_file(&name).expect("it is there");
    }
    // Nothing is there: neither the old truth nor a new, empty one.
    let old = key("old");
    let (read, written) = tokio::join!(store.load(&old), store.delete(&old));
    assert!(
        matches!((&read, &written), (Err(Error::Unavailable(_)), Err(Error::Unavailable(_)))),
        "{read:?} {written:?}"
    );
    std::fs::rename(other.file(), folder.file()).expect("the same disk");
    assert_eq!(store.load(&key("old")).await.expect("a good file"), None);
    assert!(store.load(&key("new")).await.expect("a good file").is_some());
    assert!(store.delete(&key("new")).await.expect("a good file"));
    assert_eq!(store.load(&key("new")).await.expect("a good file"), None);
    assert_eq!(folder.store().await.count(Scope::All).await.expect("a good file"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_two_thousand_hears_in_time() {
    let folder = Folder::new();
    drop(folder.store().await);
    let file = folder.file();
    let options = SqliteOptions::new(file.to_str().expect("a plain path")).expect("a file");
    let store = options.with_busy_timeout(Duration::from_secs(1)).open().await.expect("a good file");
    let other = folder.pool(1).await;
    let holder = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
    let calls: Vec<_> = (0..2000)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let start = Instant::now();
                (store.create(&key(number), &record("{}")).await, start.elapsed())
            })
        })
        .collect();
    for call in calls {
        let (outcome, time) = call.await.expect("no task panics");
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
        assert!(time < Duration::from_secs(3), "one of them heard after {time:?}");
    }
    holder.rollback().await.expect("the lock was held");
    store.create(&key("after"), &record("{}")).await.expect("the writer goes on");
}

#[test]
fn a_runtime_that_stands_still_does_not_stop_the_writer() {
    let folder = Folder::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (still, works) = (runtime(), runtime());
    let store = still.block_on(folder.store());
    still.block_on(async {
        store.create(&key("a"), &record("{}")).await.expect("a new key");
        // Its turn comes when nobody looks any more.
        let (pending, record) = (key("pending"), record("{}"));
        let mut call = Box::pin(store.create(&pending, &record));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
    });
    works.block_on(async {
        for number in 0..10 {
            let record = record("{}");
            let name = key(number);
            let create = tokio::time::timeout(Duration::from_secs(3), store.create(&name, &record));
            create.await.expect("nobody stands in its way").expect("a new key");
            assert!(store.load(&name).await.expect("a good file").is_some());
        }
    });
    drop(still);
}

#[tokio::test]
async fn a_file_is_found_again_and_is_private_however_it_is_called() {
    assert!(SqliteOptions::new("x.db").expect("a file").path().is_absolute());
    for bad in ["a\nb.db", "sqlite:a\nb.db", "a\0b"] {
        assert!(matches!(SqliteOptions::new(bad), Err(Error::Backend(_))), "{bad:?}");
    }
    let folder = Folder::new();
    for start in ["sqlite:file:", "file:", "sqlite://", "sqlite:file://"] {
        let store = SqliteStore::open(&format!("{start}{}", folder.file().display())).await.expect("a good file");
        store.setup().await.expect("it is ours");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.file()).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{start}");
        }
        store.close().await;
        std::fs::remove_file(folder.file()).expect("it is there");
    }
}

#[tokio::test]
async fn a_rotation_that_is_refused_leaves_those_that_are_written_with_it() {
    let folder = Folder::new();
    let store = folder.store().await;
    let revision = store.create(&key("old"), &record("{}")).await.expect("a new key");
    store.create(&key("taken"), &record("{}")).await.expect("a new key");
    let before = commits(&folder).await;
    let (names, record) = ((0..100).map(key).collect::<Vec<_>>(), record("{}"));
    let (old, taken) = (key("old"), key("taken"));
    let mut calls: Vec<_> = names.iter().map(|name| store.create(name, &record)).collect();
    calls.insert(50, store.rotate(&old, revision, &taken, &record));
    let mut refused = 0;
    for outcome in together(calls).await {
        match outcome {
            Ok(_) => {}
            Err(Error::AlreadyExists) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((refused, store.count(Scope::All).await.expect("a good file")), (1, 102));
    let commits = commits(&folder).await - before;
    assert!(commits < 60, "{commits} commits for calls that came together");
}

/// Polls all of them before any is ready.
async fn together<T>(calls: Vec<std::pin::Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| (Some(call), None)).collect();
    std::future::poll_fn(|context| {
        for (call, answer) in &mut calls {
            if let Some(running) = call
                && let std::task::Poll::Ready(ready) = running.as_mut().poll(context)
            {
                (*call, *answer) = (None, Some(ready));
            }
        }
        if calls.iter().all(|(call, _)| call.is_none()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    calls.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// How many frames of the log end a commit: their header has the size of the database, and others nothing.
async fn commits(folder: &Folder) -> usize {
    let mut name = folder.file().into_os_string();
    name.push("-wal");
    let log = std::fs::read(Path::new(&name)).expect("it is there");
    let frames = log.get(32..).unwrap_or_default().chunks(24 + 4096);
    frames.filter(|frame| frame.get(4..8).is_some_and(|size| size != [0; 4])).count()
}

#[tokio::test]
async fn what_is_long_goes_in_steps() {
    let folder = Folder::new();
    let (store, pool) = (folder.store().await, folder.pool(1).await);
    let plant = "INSERT INTO sessions WITH RECURSIVE number(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM number LIMIT 2600)
        SELECT 'key-' || number, 'ada', 0, CASE number % 2 WHEN 0 THEN 4102444800000 ELSE number END, number, NULL, 1, 1, '{}'
        FROM number";
    sqlx::query(plant).execute(&pool).await.expect("sqlite keeps it");
    assert_eq!(store.delete_expired(1000).await.expect("a good file"), 1000);
    assert_eq!(store.delete_expired(1000).await.expect("a good file"), 300);
    assert_eq!(store.delete_owned(&owner("ada"), Some(&key(2))).await.expect("a good file"), 1299);
    sqlx::query(plant).execute(&pool).await.expect_err("one of them is there");
    assert_eq!(store.clear().await.expect("a good file"), 1);
    sqlx::query(plant).execute(&pool).await.expect("sqlite keeps it");
    assert_eq!(store.clear().await.expect("a good file"), 1300);
    assert_eq!(store.delete_expired(1000).await.expect("a good file"), 0);
}

#[tokio::test]
async fn each_state_of_a_table_is_told_from_the_others() {
    let folder = Folder::new();
    let (store, pool) = (open(&folder.file()).await, folder.pool(1).await);
    let tell = async |text: &'static str| {
        sqlx::raw_sql(text).execute(&pool).await.expect("it can be done");
    };
    let reason = |outcome: session_core::Result<()>| outcome.err().and_then(|error| error.layout().cloned());
    assert_eq!(reason(store.verify().await), Some(LayoutError::Absent));
    store.setup().await.expect("the file is ours");
    store.verify().await.expect("it is complete");
    // A transaction that writes does not hold up what has nothing to make.
    let holder = pool.begin_with("BEGIN IMMEDIATE").await.expect("nobody else writes");
    let start = Instant::now();
    store.setup().await.expect("nothing is missing");
    assert!(start.elapsed() < Duration::from_secs(2));
    holder.rollback().await.expect("the lock was held");
    tell("DROP VIEW sessions__layout; DROP INDEX sessions__owner").await;
    assert_eq!(reason(store.verify().await), Some(LayoutError::Older { found: 1, needed: 2 }));
    store.setup().await.expect("it takes the step");
    tell("DROP INDEX sessions__expiry").await;
    let part = "index (sweep_at)".to_owned();
    assert_eq!(reason(store.verify().await), Some(LayoutError::Incomplete { part }));
    store.setup().await.expect("it makes the index");
    // The table that was renamed keeps the names of its indexes.
    tell("ALTER TABLE sessions RENAME TO shop").await;
    store.setup().await.expect("it makes a new one");
    for table in ["sessions", "shop"] {
        let store = store.clone().with_table(table).expect("a plain name");
        store.setup().await.expect("it is complete");
        store.verify().await.expect("it is complete");
        store.create(&key("a"), &record("{}")).await.expect("a new key");
        store.touch(&key("a"), record("{}").expires_at.saturating_add(HOUR)).await.expect("it is live");
    }
    tell("DROP VIEW shop__layout; CREATE VIEW shop__layout AS SELECT 1 AS layout_99").await;
    let shop = store.clone().with_table("shop").expect("a plain name");
    assert_eq!(reason(shop.setup().await), Some(LayoutError::Newer { found: 99, known: 2 }));
    tell("ALTER TABLE sessions DROP COLUMN deadline").await;
    let part = "column deadline: integer".to_owned();
    assert_eq!(reason(store.setup().await), Some(LayoutError::Incomplete { part }));
    tell("CREATE TABLE theirs (id TEXT PRIMARY KEY, data TEXT, expires_at INTEGER)").await;
    let theirs = store.with_table("theirs").expect("a plain name");
    assert_eq!(reason(theirs.setup().await), Some(LayoutError::Foreign));
}
