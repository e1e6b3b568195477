//! A record under the encrypted store: any object where the sealed one belongs, and what a holder of the key may have sealed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use session_core::{Clock, Data, Error, OwnerId, Record, SessionKey, SessionStore as _, SystemClock};
use session_store_encrypted::{BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys};
use session_store_memory::MemoryStore;

use crate::{line, may_be_answered, wait};

const KEY: [u8; 32] = [7; 32];

thread_local! {
    static STORES: [EncryptedStore<MemoryStore>; 2] = stores();
}

fn stores() -> [EncryptedStore<MemoryStore>; 2] {
    let keys = || EncryptionKeys::new([EncryptionKey::new("test", &KEY).expect("a key")]).expect("one key");
    let blinding = BlindingKey::new(&[9; 32]).expect("a key");
    [
        EncryptedStore::new(MemoryStore::new(), "shop", keys()),
        EncryptedStore::new(MemoryStore::new(), "shop", keys()).with_blinded_owners(blinding),
    ]
}

/// The first line is the owner that is stored in the clear. After it an object as it is, or, after `!`, what was sealed.
pub fn sealed(mut input: &[u8]) {
    let owner = std::str::from_utf8(line(&mut input)).ok().and_then(|owner| OwnerId::parse(owner).ok());
    let key = SessionKey::parse("k").expect("a key");
    let (text, is_genuine) = match input {
        [b'!', clear @ ..] => (seal(&key, owner.as_ref(), clear), true),
        _ => (std::str::from_utf8(input).unwrap_or_default().to_owned(), false),
    };
    let Ok(data) = Data::parse(text) else { return };
    let now = SystemClock.now();
    let mut record = Record::new(data, now, now.saturating_add(Duration::from_secs(3600)));
    record.owner = owner;
    STORES.with(|stores| {
        for store in stores {
            wait(async {
                store.delete(&key).await.expect("memory does not fail");
                store.inner().create(&key, &record).await.expect("it is free");
                let answer = store.load(&key).await;
                may_be_answered(&answer);
                let Ok(Some((opened, revision))) = answer else { return };
                assert!(is_genuine, "an object that nobody sealed was opened");
                match store.update(&key, revision, &opened).await {
                    Ok(revision) => {
                        assert_eq!(store.load(&key).await.expect("it was sealed"), Some((opened, revision)))
                    }
                    Err(Error::TooLarge { .. }) => {}
                    Err(other) => panic!("what was opened cannot be sealed: {other:?}"),
                }
            });
        }
    });
}

/// Seals any bytes as the README of the store describes it.
fn seal(key: &SessionKey, owner: Option<&OwnerId>, clear: &[u8]) -> String {
    let nonce = [5; 24];
    let mut aad = Vec::new();
    for part in ["session-store-encrypted 1", "shop", key.as_str(), "test", owner.map_or("", OwnerId::as_str)] {
        aad.extend_from_slice(&(part.len() as u64).to_le_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    let sealed = XChaCha20Poly1305::new(&KEY.into()).encrypt(&nonce.into(), Payload { msg: clear, aad: &aad });
    let sealed = URL_SAFE_NO_PAD.encode(sealed.expect("it fits"));
    format!(r#"{{"sealed":1,"k":"test","n":"{}","c":"{sealed}"}}"#, URL_SAFE_NO_PAD.encode(nonce))
}
