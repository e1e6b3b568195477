//! Files, tables, and rows that other programs wrote.

use session_core::{Cursor, Error, Page, Scope, SessionIndex, SessionStore};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row};

use super::{Folder, ask, key, owner, record};
use crate::{Durability, SqliteOptions, SqliteStore};

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
        // Not over: whatever else is wrong with it, it was there.
        assert!(store.delete(&key(number)).await.expect("it can be deleted"), "{garbage}");
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
        assert_eq!(ask(&store, "PRAGMA synchronous", |row| row.get::<i64, _>(0)).await, [level]);
        assert_eq!(ask(&store, "PRAGMA journal_mode", |row| row.get::<String, _>(0)).await, ["wal"]);
    }
    for nothing in ["", ":memory:", "sqlite::memory:", "sqlite://x?mode=memory"] {
        assert!(matches!(SqliteOptions::new(nothing), Err(Error::Backend(_))), "{nothing:?}");
    }
}

#[tokio::test]
async fn a_schema_is_an_attached_database() {
    let folder = Folder::new();
    let attach = format!("ATTACH '{}' AS \"the other\"", folder.0.path().join("other.db").display());
    let pool = SqlitePoolOptions::new().max_connections(2).after_connect(move |connection, _| {
        let attach = AssertSqlSafe(attach.clone());
        Box::pin(async move { sqlx::raw_sql(attach).execute(connection).await.map(drop) })
    });
    let options = SqliteConnectOptions::new().filename(folder.file()).create_if_missing(true);
    let pool = pool.connect_with(options).await.expect("a file can be opened");
    for schema in ["main", "the other"] {
        let store = SqliteStore::new(pool.clone()).with_schema(schema).expect("it can be quoted");
        let store = store.with_table("shop").expect("a plain name");
        sqlx::raw_sql(AssertSqlSafe(store.schema_sql())).execute(&pool).await.expect("a migration can run it");
        store.verify().await.expect("it is what setup makes");
        store.setup().await.expect("nothing is missing");
        let indexes = format!("SELECT name FROM \"{schema}\".sqlite_schema WHERE type = 'index' AND sql IS NOT NULL");
        let indexes: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(indexes)).fetch_all(&pool).await.expect("the schema is there");
        assert_eq!(indexes, ["shop__expiry", "shop__owner"], "in {schema}");
        let record = record("{}").with_owner(owner("ada"));
        let revision = store.create(&key("a"), &record).await.expect("a new key");
        let revision = store.update(&key("a"), revision, &record).await.expect("the revision is right");
        store.touch(&key("a"), record.expires_at).await.expect("it is live");
        store.rotate(&key("a"), revision, &key("b"), &record).await.expect("the revision is right");
        assert!(store.load(&key("b")).await.expect("a good file").is_some());
        assert_eq!(store.list(Scope::All, &Page::first(2)).await.expect("a good file").sessions.len(), 1);
        assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.expect("a good file"), 1);
        assert!(store.delete(&key("b")).await.expect("a good file"));
        assert_eq!(store.delete_owned(&owner("ada"), None).await.expect("a good file"), 0);
        assert_eq!(store.delete_expired(1).await.expect("a good file"), 0);
        assert_eq!(store.clear().await.expect("a good file"), 0);
    }
}

#[tokio::test]
async fn a_listing_goes_on_after_a_key_only() {
    let folder = Folder::new();
    let (store, pool) = (folder.store().await, folder.pool(1).await);
    let names = ["a", "b", "c"].map(key);
    for name in &names {
        store.create(name, &record("{}")).await.expect("a new key");
    }
    for nowhere in ["", "a b", "é", "a\0"] {
        let listing = store.list(Scope::All, &Page::first(2).after(Cursor::new(nowhere))).await;
        assert!(matches!(listing, Err(Error::Backend(_))), "{nowhere:?}: {listing:?}");
    }
    // A row that another program wrote is the last one of a page, or a page.
    sqlx::query("UPDATE sessions SET session_key = 'key-a b' WHERE session_key = 'key-b'")
        .execute(&pool)
        .await
        .expect("sqlite keeps it");
    for limit in [1, 2] {
        let first = store.list(Scope::All, &Page::first(limit)).await.expect("the good one is shown");
        let next = first.next.expect("the page is full");
        let second = store.list(Scope::All, &Page::first(limit).after(next)).await.expect("the cursor is good");
        let shown: Vec<_> = first.sessions.into_iter().chain(second.sessions).map(|session| session.key).collect();
        assert_eq!(shown, [key("a"), key("c")]);
    }
}

#[tokio::test]
async fn a_sweep_finds_what_is_over_behind_all_that_was_renewed_and_does_not_meet_that_again() {
    let folder = Folder::new();
    let (store, pool) = (folder.store().await, folder.pool(1).await);
    // Twelve thousand that are due and were renewed, and after them one that is over.
    let plant = "INSERT INTO sessions WITH RECURSIVE number(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM number LIMIT 12000)
        SELECT 'key-' || number, NULL, 0, 4102444800000, number, NULL, 1, 1, '{}' FROM number
        UNION ALL SELECT 'key-over', NULL, 0, 20000, 20000, NULL, 1, 1, '{}'";
    sqlx::query(plant).execute(&pool).await.expect("sqlite keeps it");
    assert_eq!(store.delete_expired(10).await.expect("a good file"), 1);
    let due = "SELECT count(*) FROM sessions WHERE sweep_at < 4102444800000";
    assert_eq!(sqlx::query_scalar::<_, i64>(due).fetch_one(&pool).await.expect("a good file"), 0);
    assert_eq!(store.count(Scope::All).await.expect("a good file"), 12_000);
}
