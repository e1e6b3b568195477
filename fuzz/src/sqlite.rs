//! A row as SQLite keeps it: any number in the columns of numbers, any bytes in those of text.

use session_core::{Page, Scope, SessionIndex as _, SessionKey, SessionStore as _};
use session_store_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::{line, may_be_answered, wait};

thread_local! {
    static SQLITE: (SqlitePool, SqliteStore) = wait(open()).expect("a database in memory opens");
}

async fn open() -> Result<(SqlitePool, SqliteStore), session_core::BoxError> {
    let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = options.connect_with(SqliteConnectOptions::new().filename(":memory:")).await?;
    let store = SqliteStore::new(pool.clone());
    store.setup().await?;
    Ok((pool, store))
}

/// Seven lines, `format`, `revision`, the three times (an empty one is null), key and owner, then the data.
pub fn sqlite(mut input: &[u8]) {
    let mut number = || std::str::from_utf8(line(&mut input)).ok().and_then(|digits| digits.parse::<i64>().ok());
    let [format, revision, created_at, expires_at, deadline] = [(); 5].map(|()| number());
    let (name, owner) = (line(&mut input), line(&mut input));
    let key = std::str::from_utf8(name).ok().and_then(|key| SessionKey::parse(key).ok());
    SQLITE.with(|(pool, store)| {
        wait(async {
            sqlx::query("DELETE FROM sessions").execute(pool).await.expect("the table is there");
            let insert = "INSERT INTO sessions \
                (session_key, owner, created_at, expires_at, sweep_at, deadline, revision, format, data) \
                VALUES (CAST(?1 AS TEXT), CAST(?2 AS TEXT), ?3, ?4, ?4, ?5, ?6, ?7, CAST(?8 AS TEXT))";
            let insert = sqlx::query(insert)
                .bind(name)
                .bind((!owner.is_empty()).then_some(owner))
                .bind(created_at.unwrap_or(0))
                .bind(expires_at.unwrap_or(253_402_300_799_999))
                .bind(deadline)
                .bind(revision.unwrap_or(7))
                .bind(format.unwrap_or(1))
                .bind(input);
            insert.execute(pool).await.expect("the table takes every value");
            may_be_answered(&store.list(Scope::All, &Page::first(3)).await);
            may_be_answered(&store.count(Scope::All).await);
            let Some(key) = key else { return };
            let answer = store.load(&key).await;
            may_be_answered(&answer);
            // What is read can be written, and is then read again.
            if let Ok(Some((record, revision))) = answer {
                assert_eq!(record.data.as_str().as_bytes(), input);
                let revision = store.update(&key, revision, &record).await.expect("it is live");
                assert_eq!(store.load(&key).await.expect("it was read"), Some((record, revision)));
            }
            store.delete(&key).await.expect("everything can be deleted");
            assert!(store.load(&key).await.expect("nothing is there").is_none());
        });
    });
}
