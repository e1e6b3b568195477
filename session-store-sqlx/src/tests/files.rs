//! Files, tables, and rows that other programs wrote.

use session_core::{Error, Page, Scope, SessionIndex, SessionStore};
use sqlx::{AssertSqlSafe, Row};

use super::{Folder, ask, key, owner, record};
use crate::{Durability, SqliteOptions};

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
        // Of the format that is known, and not over: whatever else is wrong with it, it was live.
        let was_live = store.delete(&key(number)).await.expect("it can be deleted");
        assert_eq!(was_live, *garbage != "format = 2", "{garbage}");
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
