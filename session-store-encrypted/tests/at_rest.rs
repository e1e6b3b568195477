//! What is in the file of an SQLite store under the encryption, and what happens when somebody writes into it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use session_core::{
    BoxError, Clock, Data, Error, OwnerId, Page, Record, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use session_store_encrypted::{BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys, Unreadable};
use session_store_sqlx::SqliteStore;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tempfile::TempDir;

const SECRETS: [&str; 3] = ["Mehrwertsteuernummer DE-4711-0815", "first-visit-of-the-cart-page", "Weihnachtsgeschenk"];
const OWNER: &str = "ada.lovelace@analytical-engines.example";

fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).expect("the key of a test is a key")
}

fn record(text: &str) -> Record {
    let now = SystemClock.now();
    let data = Data::from_object(&std::collections::BTreeMap::from([("text", text)])).expect("a map is an object");
    let owner = OwnerId::parse(OWNER).expect("the owner of a test is an owner");
    Record::new(data, now, now.saturating_add(std::time::Duration::from_secs(3600))).with_owner(owner)
}

async fn sqlite(folder: &TempDir) -> Result<SqliteStore, BoxError> {
    let store = SqliteStore::open(&folder.path().join("sessions.sqlite").to_string_lossy()).await?;
    store.setup().await?;
    Ok(store)
}

async fn encrypted(folder: &TempDir) -> Result<EncryptedStore<SqliteStore>, BoxError> {
    let keys = EncryptionKeys::new([EncryptionKey::new("test", &[7; 32])?])?;
    Ok(EncryptedStore::new(sqlite(folder).await?, "shop", keys))
}

async fn sql(folder: &TempDir, statement: &'static str) -> Result<(), BoxError> {
    let file = folder.path().join("sessions.sqlite");
    let mut connection = SqliteConnection::connect(&file.to_string_lossy()).await?;
    assert_eq!(sqlx::query(statement).execute(&mut connection).await?.rows_affected(), 1, "{statement}");
    Ok(())
}

/// Uses every call that writes data.
async fn live(store: &dyn SessionIndex) -> Result<(), BoxError> {
    let revision = store.create(&key("first"), &record(SECRETS[0])).await?;
    let revision = store.update(&key("first"), revision, &record(SECRETS[1])).await?;
    store.rotate(&key("first"), revision, &key("second"), &record(SECRETS[2])).await?;
    store.create(&key("deleted"), &record(SECRETS[0])).await?;
    store.delete(&key("deleted")).await?;
    let listing = store.list(Scope::All, &Page::first(10)).await?;
    assert_eq!(listing.sessions.len(), 1);
    Ok(())
}

/// Says whether the text is in one of the files as it is, in hex, or in base64 at any of the three offsets.
fn is_found(folder: &Path, text: &str) -> Result<bool, BoxError> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec![text.to_owned(), hex.to_uppercase(), hex];
    for offset in 0..3 {
        let encoded = STANDARD.encode([&b"..."[..offset], text.as_bytes()].concat());
        // The characters at both ends depend on the neighbours.
        let inside = encoded[4..encoded.len() - 4].to_owned();
        needles.extend([inside.replace('+', "-").replace('/', "_"), inside]);
    }
    for file in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(file?.path())?;
        let holds = |needle: &String| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        if needles.iter().any(holds) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test]
async fn the_file_holds_nothing_of_the_data() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = encrypted(&folder).await?;
    live(&store).await?;
    for when in ["while the store is open", "after it was closed"] {
        for secret in SECRETS {
            assert!(!is_found(folder.path(), secret)?, "{secret} is in the file {when}");
        }
        // Without blinding the owner is in the clear, as documented. It shows that the search finds what is there.
        assert!(is_found(folder.path(), OWNER)?);
        store.inner().close().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_file_holds_nothing_of_a_blinded_owner() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = encrypted(&folder).await?.with_blinded_owners(BlindingKey::new(&[9; 32])?);
    live(&store).await?;
    store.inner().close().await;
    for secret in SECRETS.iter().chain([&OWNER]) {
        assert!(!is_found(folder.path(), secret)?, "{secret} is in the file");
    }
    Ok(())
}

#[tokio::test]
async fn without_encryption_the_search_finds_everything() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder).await?;
    live(&store).await?;
    for secret in [SECRETS[2], OWNER] {
        assert!(is_found(folder.path(), secret)?, "{secret} is not found");
    }
    for encoded in [STANDARD.encode(SECRETS[0]), STANDARD.encode(format!("ab{}", SECRETS[1]))] {
        std::fs::write(folder.path().join("dump"), encoded)?;
        assert!(is_found(folder.path(), SECRETS[0])? || is_found(folder.path(), SECRETS[1])?);
    }
    Ok(())
}

#[tokio::test]
async fn what_was_moved_or_changed_in_the_file_is_corrupt_and_can_be_deleted() -> Result<(), BoxError> {
    const CHANGES: [(&str, Unreadable); 5] = [
        ("UPDATE sessions SET session_key = 'b'", Unreadable::NotAuthentic),
        (
            "INSERT INTO sessions (session_key, owner, created_at, expires_at, sweep_at, deadline, revision, format, data) \
             SELECT 'b', owner, created_at, expires_at, sweep_at, deadline, revision, format, data FROM sessions",
            Unreadable::NotAuthentic,
        ),
        ("UPDATE sessions SET session_key = 'b', data = json_set(data, '$.k', 'other')", Unreadable::UnknownKey),
        ("UPDATE sessions SET session_key = 'b', data = json_set(data, '$.sealed', 2)", Unreadable::UnknownFormat),
        ("UPDATE sessions SET session_key = 'b', data = '{}'", Unreadable::Plaintext),
    ];
    for (change, wanted) in CHANGES {
        let folder = tempfile::tempdir()?;
        let store = encrypted(&folder).await?;
        store.create(&key("a"), &record("mine")).await?;
        sql(&folder, change).await?;
        match store.load(&key("b")).await {
            Err(Error::Corrupt(cause)) => assert_eq!(cause.downcast_ref(), Some(&wanted), "{change}"),
            other => panic!("{other:?} after {change}"),
        }
        store.delete(&key("b")).await?;
        assert!(store.load(&key("b")).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn an_owner_that_was_changed_in_the_file_is_corrupt() -> Result<(), BoxError> {
    for change in ["UPDATE sessions SET owner = 'mallory'", "UPDATE sessions SET owner = NULL"] {
        let folder = tempfile::tempdir()?;
        let store = encrypted(&folder).await?;
        store.create(&key("a"), &record("mine")).await?;
        sql(&folder, change).await?;
        assert!(matches!(store.load(&key("a")).await, Err(Error::Corrupt(_))), "{change}");
    }
    Ok(())
}

#[tokio::test]
async fn the_data_of_another_session_does_not_open() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let store = encrypted(&folder).await?;
    store.create(&key("mine"), &record("mine")).await?;
    store.create(&key("theirs"), &record("theirs")).await?;
    sql(
        &folder,
        "UPDATE sessions SET data = (SELECT data FROM sessions WHERE session_key = 'theirs') WHERE session_key = 'mine'",
    )
    .await?;
    assert!(matches!(store.load(&key("mine")).await, Err(Error::Corrupt(_))));
    assert!(store.load(&key("theirs")).await?.is_some());
    Ok(())
}
