//! Encryption around any store, for the suite: what all backends have in common.
#![allow(dead_code, reason = "each suite uses a part")]

use std::time::Duration;

use conformance_tests::{Damage, Need, Space, Suite};
use session_core::{BoxError, Data, SessionIndex, SessionKey, StoreOptions};
use session_store_encrypted::{EncryptedStore, EncryptionKey, EncryptionKeys, inner_limit};

/// What the store inside has to accept.
pub(crate) const LIMIT: usize = inner_limit(StoreOptions::DEFAULT_MAX_DATA_BYTES);

/// Long enough that a busy machine is no outage.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

const KEY: &[u8; 32] = b"the encryption key of the suites";

/// Makes the suite on encryption around the stores that `open` opens, each of which accepts [`LIMIT`] bytes.
pub(crate) fn suite<S, F, Fut>(name: &str, open: F) -> Suite
where
    S: SessionIndex + 'static,
    F: Fn(Space) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<S, BoxError>> + Send + 'static,
{
    let inner = open.clone();
    let encrypted = move |space: Space| {
        let opening = open(space.clone());
        async move {
            let keys = EncryptionKeys::new([EncryptionKey::new("test", KEY)?])?;
            Ok(EncryptedStore::new(opening.await?, space.namespace(), keys))
        }
    };
    Suite::new(name, encrypted)
        .damages(move |space, key, damage| {
            let opening = inner(space);
            async move { self::damage(&opening.await?, &key, damage).await }
        })
        .formats_data()
        .with_limit(Duration::from_secs(400))
        .lacks(Need::Raw, "what the backend keeps is what the store inside keeps, whose own suite looks at it")
        .lacks(Need::RoundTrips, "the calls are those of the store inside, whose own suite counts them")
        .lacks(Need::Outage, "the calls are those of the store inside, whose own suite stops its server")
}

/// Makes the suite on encryption around the stores of the server that a variable names.
pub(crate) fn on_server<S, F, Fut>(name: &str, variable: &str, open: F) -> Suite
where
    S: SessionIndex + 'static,
    F: Fn(&'static str, Space) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<S, BoxError>> + Send + 'static,
{
    match std::env::var(variable) {
        Ok(url) => {
            let url: &'static str = url.leak();
            suite(name, move |space| open(url, space)).reopens().spans_processes()
        }
        Err(_) => Suite::absent(name, format!("{variable} names no server; scripts/servers starts one")),
    }
}

/// Damages what the encryption reads, in the two ways in which the store inside still takes it for a record: an object that is not
/// encrypted, whatever text the suite had in mind, and an encryption of another version.
async fn damage(inner: &impl SessionIndex, key: &SessionKey, damage: Damage) -> Result<(), BoxError> {
    let (mut record, revision) = inner.load(key).await?.ok_or("there is nothing to damage")?;
    record.data = Data::parse(match damage {
        Damage::Data(_) => r#"{"cart":[1,2]}"#,
        _ => r#"{"sealed":99,"k":"test","n":"","c":""}"#,
    })?;
    inner.update(key, revision, &record).await?;
    Ok(())
}
