//! What the suite needs of SQLite, in SQL and not through the store.

use conformance_tests::{Damage, Space};
use session_core::{BoxError, SessionKey};
use session_store_sqlx::SqliteStore;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/conformance.sqlite");

/// The file that all cases share; one of its own where the case looks at its bytes.
fn file(space: &Space) -> String {
    if ["ct_residue", "ct_replaced"].iter().any(|start| space.namespace().starts_with(start)) {
        format!("{FILE}-{}", space.namespace())
    } else {
        FILE.to_owned()
    }
}

/// Puts another file in the place of the one that there is.
pub(crate) async fn replace(space: Space) -> Result<(), BoxError> {
    for end in ["", "-wal", "-shm"] {
        let old = format!("{}{end}", file(&space));
        match std::fs::rename(&old, format!("{old}.old")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let store = SqliteStore::open(&file(&space)).await?.with_table(space.namespace())?;
    store.setup().await?;
    store.close().await;
    Ok(())
}

/// All bytes of the file, when what is in the log has been brought into it.
pub(crate) async fn bytes(space: Space) -> Result<Vec<Vec<u8>>, BoxError> {
    let mut connection = SqliteConnection::connect(&file(&space)).await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 20000; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await?;
    Ok(vec![std::fs::read(file(&space))?])
}

pub(crate) async fn open(space: Space) -> Result<SqliteStore, BoxError> {
    let store = SqliteStore::open(&file(&space)).await?.with_table(space.namespace())?.with_clock(space.clock());
    store.setup().await?;
    Ok(store)
}

/// The rows of the table as text, and how many entries each of its indexes has.
pub(crate) async fn raw(space: Space) -> Result<Vec<String>, BoxError> {
    let mut connection = SqliteConnection::connect(FILE).await?;
    let name = space.namespace();
    let rows = format!("SELECT concat_ws(' ', session_key, owner, data) FROM {name}");
    let mut lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await?;
    for (index, filter) in [("expiry", "sweep_at > 0"), ("owner", "owner IS NOT NULL")] {
        let count = format!("SELECT count(*) FROM {name} INDEXED BY {name}__{index} WHERE {filter}");
        let entries: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut connection).await?;
        lines.push(format!("{entries} entries in the index by {index}"));
    }
    Ok(lines)
}

pub(crate) async fn damage(space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    let mut connection = SqliteConnection::connect(FILE).await?;
    let name = space.namespace();
    match damage {
        Damage::Data(text) => {
            let update = format!("UPDATE {name} SET data = ? WHERE session_key = ?");
            sqlx::query(AssertSqlSafe(update)).bind(text).bind(key.as_str()).execute(&mut connection).await?;
        }
        Damage::Format => {
            let update = format!("UPDATE {name} SET format = 99 WHERE session_key = ?");
            sqlx::query(AssertSqlSafe(update)).bind(key.as_str()).execute(&mut connection).await?;
        }
        other => return Err(format!("sqlite cannot be damaged so: {other:?}").into()),
    }
    Ok(())
}

/// Holds the file as another program's transaction does that has written to it: SQLite has one lock for all.
pub(crate) async fn lock(_: Space, _: SessionKey) -> Result<SqliteConnection, BoxError> {
    let mut connection = SqliteConnection::connect(FILE).await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE").execute(&mut connection).await?;
    Ok(connection)
}
