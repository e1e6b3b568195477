//! The session key: what a store files a record under.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::SessionId;

/// What a store files a record under: 1 to 255 visible ASCII characters, compared byte for byte.
///
/// It is normally derived from a [`SessionId`], and knowing it does not let anyone in: presented as an id it is
/// hashed again and found nowhere. It may be shown in lists and logs. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(Arc<str>);

/// The refusal of text that cannot be a session key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session key is 1 to 255 visible ascii characters")]
pub struct InvalidKey;

impl SessionKey {
    /// The most characters that a key may have.
    pub const MAX_LENGTH: usize = 255;

    /// Derives the key of an id: the lower-case hex of SHA-256 over `namespace`, a colon, and the id.
    ///
    /// The namespace keeps applications that share a backend apart: the same id has another key in each.
    ///
    /// ```
    /// use session_core::{SessionId, SessionKey};
    ///
    /// let id = SessionId::parse("tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3")?;
    /// // printf 'shop:tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3' | sha256sum
    /// let key = SessionKey::derive("shop", &id);
    /// assert_eq!(key.as_str(), "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485");
    /// # Ok::<(), session_core::InvalidId>(())
    /// ```
    pub fn derive(namespace: &str, id: &SessionId) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = Sha256::new().chain_update(namespace).chain_update(":").chain_update(id.expose()).finalize();
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        // Hex digits are ASCII.
        Self(std::str::from_utf8(&text).unwrap_or_default().into())
    }

    /// Parses a key, for instance one that an administrator picked from a list.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(Self(text.into())) } else { Err(InvalidKey) }
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::parse(text)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        for good in ["a", "a:b", "../x", "*", "'; DROP TABLE sessions; --".replace(' ', "_").as_str(), &"k".repeat(255)]
        {
            assert_eq!(SessionKey::parse(good).map(|key| key.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a b", "a\n", "a\0", "é", &"k".repeat(256)] {
            assert_eq!(SessionKey::parse(bad), Err(InvalidKey), "{bad:?}");
        }
    }

    #[test]
    fn namespaces_give_one_id_different_keys() {
        let id = SessionId::generate().expect("the test machine has randomness");
        assert_ne!(SessionKey::derive("a", &id), SessionKey::derive("b", &id));
        assert!(!SessionKey::derive("a", &id).as_str().contains(id.expose()));
    }
}
