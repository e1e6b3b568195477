//! The keys that encrypt: the first writes, all of them read.

use std::fmt;
use std::sync::Arc;

use crate::InvalidKeys;
use crate::secret::Secret;

/// One 256-bit key and the id by which a stored record names it. `Debug` shows the id and no more; dropping wipes it.
///
/// A key is 32 *random* bytes (`openssl rand -hex 32`), not a password.
pub struct EncryptionKey {
    id: Box<str>,
    secret: Secret,
}

impl EncryptionKey {
    /// The most characters that the id of a key may have.
    pub const MAX_ID_LENGTH: usize = 32;

    /// Takes the 32 bytes of a key. Refuses another length, and an id that is not 1 to 32 characters of `A-Z`, `a-z`,
    /// `0-9`, `-` and `_`.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, InvalidKeys> {
        Ok(Self { id: parse_id(id)?, secret: Secret::new(secret)? })
    }

    /// Takes a key that is written as 64 hexadecimal digits, as an environment variable holds it.
    pub fn from_hex(id: &str, secret: &str) -> Result<Self, InvalidKeys> {
        Ok(Self { id: parse_id(id)?, secret: Secret::from_hex(secret)? })
    }

    /// Returns the id, which is stored beside what the key encrypts and is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn parse_id(id: &str) -> Result<Box<str>, InvalidKeys> {
    let fits = (1..=EncryptionKey::MAX_ID_LENGTH).contains(&id.len());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if fits && id.bytes().all(is_plain) { Ok(id.into()) } else { Err(InvalidKeys::InvalidId) }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({:?}, redacted)", self.id)
    }
}

/// The keys of a store: the first encrypts, all of them decrypt what names them. Cloning shares the keys.
///
/// To change the key, put a new one in front, re-encrypt, and then drop the old one; what is still encrypted
/// with a key that was dropped is [`Corrupt`](session_core::Error::Corrupt).
///
/// ```
/// use session_store_encrypted::{EncryptionKey, EncryptionKeys, InvalidKeys};
///
/// let keys = EncryptionKeys::new([EncryptionKey::new("2026-07", &[7; 32])?, EncryptionKey::new("2026-01", &[1; 32])?])?;
/// assert_eq!(format!("{keys:?}"), r#"EncryptionKeys(["2026-07", "2026-01"], redacted)"#);
/// assert_eq!(EncryptionKeys::new([]).err(), Some(InvalidKeys::Missing));
/// # Ok::<(), InvalidKeys>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKeys(Arc<[EncryptionKey]>);

impl EncryptionKeys {
    /// Takes the keys, the one that encrypts first. Refuses an empty list and two keys of one id.
    pub fn new(keys: impl IntoIterator<Item = EncryptionKey>) -> Result<Self, InvalidKeys> {
        let keys: Arc<[EncryptionKey]> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(InvalidKeys::Missing);
        }
        let is_repeated = |(place, key): (usize, &EncryptionKey)| keys[..place].iter().any(|other| other.id == key.id);
        if keys.iter().enumerate().any(is_repeated) { Err(InvalidKeys::DuplicateId) } else { Ok(Self(keys)) }
    }

    /// Returns the key that encrypts.
    pub(crate) fn first(&self) -> &EncryptionKey {
        // The constructor refuses an empty list.
        &self.0[0]
    }

    /// Returns the key that a record names, if it is in the list.
    pub(crate) fn find(&self, id: &str) -> Option<&EncryptionKey> {
        self.0.iter().find(|key| *key.id == *id)
    }
}

impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.0.iter().map(EncryptionKey::id).collect();
        write!(f, "EncryptionKeys({ids:?}, redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Result<EncryptionKey, InvalidKeys> {
        EncryptionKey::new(id, &[7; 32])
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for good in ["1", "2026-07", "a_B-9", &"k".repeat(32)] {
            assert_eq!(key(good).map(|key| key.id().to_owned()).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a b", "a\"b", "é", "a/b", "a.b", &"k".repeat(33)] {
            assert_eq!(key(bad).err(), Some(InvalidKeys::InvalidId), "{bad:?}");
            assert_eq!(EncryptionKey::from_hex(bad, &"07".repeat(32)).err(), Some(InvalidKeys::InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_work_is_refused() {
        assert_eq!(EncryptionKeys::new([]).err(), Some(InvalidKeys::Missing));
        let twice = [key("a"), key("b"), key("a")].map(|key| key.expect("a key"));
        assert_eq!(EncryptionKeys::new(twice).err(), Some(InvalidKeys::DuplicateId));
        assert_eq!(EncryptionKey::new("a", &[7; 31]).err(), Some(InvalidKeys::WrongLength));
        let other_case = EncryptionKeys::new([key("a"), key("A")].map(|key| key.expect("a key")));
        assert_eq!(other_case.expect("ids differ in case").first().id(), "a");
    }

    #[test]
    fn debug_shows_ids_only() {
        let one = EncryptionKey::new("mine", b"a secret of 32 bytes, not a text").expect("a key");
        let mut words = format!("{one:?}");
        words += &format!("{:?}", EncryptionKeys::new([one]));
        assert!(words.contains("mine") && !words.contains("secret of") && !words.contains("97, 32"), "{words}");
    }
}
