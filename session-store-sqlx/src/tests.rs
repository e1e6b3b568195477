//! What is SQLite's own: plans, locks, files, and rows that other programs wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use session_core::{
    Clock, Data, Error, OwnerId, Page, Record, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use crate::statement::Statement;
use crate::{Durability, SqliteOptions, SqliteStore};

const HOUR: Duration = Duration::from_secs(3600);

fn key(name: impl std::fmt::Display) -> SessionKey {
    SessionKey::parse(&format!("key-{name}")).expect("the test's names make keys")
}

fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).expect("the test's names make owners")
}

fn record(text: &str) -> Record {
    let now = SystemClock.now();
    Record::new(Data::parse(text).expect("the test's text is an object"), now, now.saturating_add(HOUR))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }

    async fn store(&self) -> SqliteStore {
        let store = open(&self.file()).await;
        store.setup().await.expect("the file is ours");
        store
    }

    /// The pool of an application that knows nothing of this crate.
    async fn pool(&self, connections: u32) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
        SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.expect("a file can be opened")
    }
}

async fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(file.to_str().expect("a plain path")).await.expect("a file can be opened")
}

/// How SQLite runs a statement, in its own words.
async fn plan(store: &SqliteStore, statement: &Statement) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql().as_str());
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(store.reader_pool()).await.expect("the statement is sound");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn no_statement_but_the_count_of_all_goes_through_the_whole_table() {
    let folder = Folder::new();
    let store = folder.store().await;
    let statements = store.statements();
    for (name, statement) in [
        ("load", &statements.load),
        ("update", &statements.update),
        ("touch", &statements.touch),
        ("rotate", &statements.rotate),
        ("delete", &statements.delete),
        ("list", &statements.list),
    ] {
        let plan = plan(&store, statement).await;
        assert!(
            plan.contains("sqlite_autoindex_sessions_1 (session_key") && !plan.contains("__expiry"),
            "{name}: {plan}"
        );
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
    for (name, statement) in [("delete_expired", &statements.delete_expired), ("count", &statements.count)] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("INDEX sessions__expiry (expires_at"), "{name}: {plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
    for (name, statement) in [
        ("list_owned", &statements.list_owned),
        ("count_owned", &statements.count_owned),
        ("delete_owned", &statements.delete_owned),
    ] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("sessions__owner (owner=?"), "{name}: {plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
}

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
    {
        let mut dropped = Box::pin(store.create(&first, &record));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(dropped.as_mut().poll(&mut context).is_pending());
    }
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

#[tokio::test]
async fn rows_of_other_programs_are_corrupt_and_hide_nobody() {
    let folder = Folder::new();
    let (store, pool) = (folder.store().await, folder.pool(1).await);
    let garbage = [
        "format = 2",
        "data = 'x'",
        "data = '[]'",
        "data = CAST(x'22ff22' AS TEXT)",
        "revision = -1",
        "created_at = -1",
        "owner = ''",
        "deadline = -1",
        "expires_at = 9223372036854775807",
    ];
    for (number, garbage) in garbage.iter().enumerate() {
        let name = key(number);
        let revision = store.create(&name, &record("{}")).await.expect("a new key");
        let plant = format!("UPDATE sessions SET {garbage} WHERE session_key = '{name}'");
        sqlx::query(AssertSqlSafe(plant)).execute(&pool).await.expect("sqlite keeps it");
        assert!(matches!(store.load(&name).await, Err(Error::Corrupt(_))), "{garbage}");
        let created = store.create(&name, &record("{}")).await;
        assert!(matches!(created, Err(Error::AlreadyExists)), "{garbage}: {created:?}");
        if *garbage == "format = 2" {
            let updated = store.update(&name, revision, &record("{}")).await;
            assert!(matches!(updated, Err(Error::Corrupt(_))), "{updated:?}");
            let rotated = store.rotate(&name, revision, &key("new"), &record("{}")).await;
            assert!(matches!(rotated, Err(Error::Corrupt(_))), "{rotated:?}");
        }
    }
    store.create(&key("good"), &record("{}")).await.expect("a new key");
    let listing = store.list(Scope::All, &Page::first(100)).await.expect("the good one is shown");
    assert!(listing.sessions.iter().any(|session| session.key == key("good")));
    for (number, garbage) in garbage.iter().enumerate() {
        assert!(!store.delete(&key(number)).await.expect("it can be deleted"), "{garbage}");
        assert_eq!(store.load(&key(number)).await.expect("it is gone"), None);
    }
    assert_eq!(store.count(Scope::All).await.expect("a good file"), 1);
}

#[tokio::test]
async fn a_table_with_a_strange_name_is_apart_from_all_others() {
    let folder = Folder::new();
    let store = folder.store().await;
    let names = ["select", "a b", "a\"b", "a'b", "a;b", "{table}", ":key", "?1", "名前", "sessions_", "session%"];
    for (number, name) in names.iter().enumerate() {
        let table = store.clone().with_table(name).expect("it can be quoted");
        table.setup().await.expect("it is quoted");
        for session in 0..=number {
            let owned = record("{}").with_owner(owner("ada"));
            table.create(&key(session), &owned).await.expect("a new key");
        }
    }
    for (number, name) in names.iter().enumerate() {
        let table = store.clone().with_table(name).expect("it can be quoted");
        assert_eq!(table.count(Scope::Owner(&owner("ada"))).await.expect("a good file"), number as u64 + 1);
        assert_eq!(table.clear().await.expect("a good file"), number as u64 + 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = folder.store().await;
    store.create(&key("a"), &record("{}")).await.expect("a new key");
    let files: Vec<_> = std::fs::read_dir(folder.0.path()).expect("the folder is there").flatten().collect();
    assert!(files.len() >= 3, "the database, its log and its index: {files:?}");
    for file in files {
        let mode = file.metadata().expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
    store.close().await;
    std::fs::set_permissions(folder.file(), std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    drop(folder.store().await);
    let mode = std::fs::metadata(folder.file()).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn a_file_is_opened_as_asked() {
    let folder = Folder::new();
    for (durability, level) in [(Durability::ProcessCrash, 1), (Durability::PowerLoss, 2)] {
        let location = format!("sqlite://{}", folder.file().display());
        let options = SqliteOptions::new(&location).expect("a file").with_durability(durability);
        let store = options.open().await.expect("a good file");
        // Readers are opened like the writer, except that they cannot write.
        let pool = store.reader_pool();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.expect("a good file");
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.expect("a good file");
        assert_eq!((synchronous, journal.as_str()), (level, "wal"));
    }
    for nothing in ["", ":memory:", "sqlite::memory:", "sqlite://x?mode=memory"] {
        assert!(matches!(SqliteOptions::new(nothing), Err(Error::Backend(_))), "{nothing:?}");
    }
}
