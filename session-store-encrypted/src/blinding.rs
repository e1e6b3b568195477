//! Owners that are stored as a keyed hash.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use session_core::{Error, OwnerId, Result};
use sha2::Sha256;

use crate::InvalidKeys;
use crate::secret::Secret;

/// The 256-bit key that turns owners into what the index stores instead of them. `Debug` is redacted; dropping wipes it.
///
/// It is apart from the [`EncryptionKeys`](crate::EncryptionKeys), because it must stay when those change: with another
/// key the sessions of an owner are not found until they are [re-encrypted](crate::EncryptedStore::reencrypt).
#[derive(Clone)]
pub struct BlindingKey(Arc<Secret>);

impl BlindingKey {
    /// Takes the 32 bytes of the key. Refuses another length.
    pub fn new(secret: &[u8]) -> Result<Self, InvalidKeys> {
        Ok(Self(Arc::new(Secret::new(secret)?)))
    }

    /// Takes a key that is written as 64 hexadecimal digits, as an environment variable holds it.
    pub fn from_hex(secret: &str) -> Result<Self, InvalidKeys> {
        Ok(Self(Arc::new(Secret::from_hex(secret)?)))
    }

    /// Returns what is stored instead of the owner: HMAC-SHA256 in lower-case hex, another one in every namespace.
    pub(crate) fn blind(&self, namespace: &str, owner: &OwnerId) -> Result<OwnerId> {
        // HMAC takes keys of every length, so the refusal does not happen.
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).map_err(Error::backend)?;
        let length = u64::try_from(namespace.len()).unwrap_or(u64::MAX).to_le_bytes();
        let parts = [b"session-store-encrypted owner 1".as_slice(), &length, namespace.as_bytes()];
        let mac = parts.iter().fold(mac, |mac, part| mac.chain_update(part));
        let digest = mac.chain_update(owner.as_str()).finalize().into_bytes();
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
        let text: String = digest.iter().flat_map(digits).collect();
        OwnerId::parse(&text).map_err(Error::backend)
    }
}

impl fmt::Debug for BlindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindingKey(redacted)")
    }
}
