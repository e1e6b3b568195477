//! What the suite needs of SQLite under the encryption, in SQL and not through a store.

use conformance_tests::{Damage, Space};
use session_core::{BoxError, SessionKey, StoreOptions};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys, inner_limit};
use session_store_sqlx::SqliteStore;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

/// A file for each test binary: they run at the same time.
const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/encrypted_", env!("CARGO_CRATE_NAME"), ".sqlite");

pub(crate) async fn open(space: Space) -> Result<EncryptedStore<SqliteStore>, BoxError> {
    let inner = SqliteStore::open(FILE).await?.with_table(space.namespace())?.with_clock(space.clock());
    let inner = inner.with_max_data_bytes(inner_limit(StoreOptions::DEFAULT_MAX_DATA_BYTES));
    inner.setup().await?;
    let keys = EncryptionKeys::new([EncryptionKey::new("test", &[7; 32])?])?;
    Ok(EncryptedStore::new(inner, space.namespace(), keys))
}

/// The rows of the table as text.
pub(crate) async fn raw(space: Space) -> Result<Vec<String>, BoxError> {
    let rows = format!("SELECT concat_ws(' ', session_key, owner, data) FROM {}", space.namespace());
    let mut connection = SqliteConnection::connect(FILE).await?;
    Ok(sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await?)
}

/// Puts the damage where the encryption is: what is not JSON is the inner store's concern, an unknown format is ours.
pub(crate) async fn damage(space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    let data = match damage {
        Damage::Data(text) => text,
        Damage::Format => r#"{"sealed":99,"k":"test","n":"","c":""}"#,
        other => return Err(format!("sqlite cannot be damaged so: {other:?}").into()),
    };
    let update = format!("UPDATE {} SET data = ? WHERE session_key = ?", space.namespace());
    let mut connection = SqliteConnection::connect(FILE).await?;
    sqlx::query(AssertSqlSafe(update)).bind(data).bind(key.as_str()).execute(&mut connection).await?;
    Ok(())
}
