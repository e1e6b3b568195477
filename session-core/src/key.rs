//! The session key: what a store files a record under.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::SessionId;

/// What a store files a record under: 1 to 255 visible ASCII characters, compared byte for byte.
///
/// It is normally derived from a [`SessionId`], and knowing it does not let anyone in: presented as an id it is hashed
/// again and found nowhere. It may be shown in lists and logs. Cloning shares the text. Serde sees a string, which is
/// checked when it is read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
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
    ///
    /// Where the namespace ends is plain, for such an id is always 32 characters long. An id that [another program
    /// made](SessionId::foreign) has any length and may hold colons. There the length of the namespace in bytes and a
    /// colon come first, and an exclamation mark last, which is never the last character of the others: no two pairs of
    /// namespace and id, of whichever kind, are the same text.
    ///
    /// ```
    /// # use session_core::{SessionId, SessionKey};
    /// // printf '4:shop:order:17!' | sha256sum
    /// let key = SessionKey::derive("shop", &SessionId::foreign("order:17")?);
    /// assert_eq!(key.as_str(), "78ff1d8f9a39818decdbf33b3ecda8125dba19e3076ebecf49baf109cddb6236");
    /// assert_ne!(key, SessionKey::derive("shop:order", &SessionId::foreign("17")?));
    /// # Ok::<(), session_core::InvalidId>(())
    /// ```
    pub fn derive(namespace: &str, id: &SessionId) -> Self {
        let mut hash = Sha256::new();
        if id.is_foreign() {
            hash.update(namespace.len().to_string());
            hash.update(":");
        }
        hash.update(namespace);
        hash.update(":");
        hash.update(id.expose());
        if id.is_foreign() {
            hash.update("!");
        }
        Self::of_digest(&hash.finalize())
    }

    fn of_digest(digest: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        // Hex digits are ASCII.
        Self(std::str::from_utf8(&text).unwrap_or_default().into())
    }

    /// Parses a key, for instance one that an administrator picked from a list.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] if the text is empty, longer than [`MAX_LENGTH`](Self::MAX_LENGTH), or holds anything but visible
    /// ASCII.
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

impl TryFrom<&str> for SessionKey {
    type Error = InvalidKey;

    fn try_from(text: &str) -> Result<Self, InvalidKey> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SessionKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(&text)
    }
}

impl AsRef<str> for SessionKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for SessionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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

    fn foreign(text: &str) -> SessionId {
        SessionId::foreign(text).expect("the test's ids are short")
    }

    #[test]
    fn the_key_of_an_own_id_is_what_it_always_was() {
        let id = foreign("tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3");
        for (namespace, key) in [
            ("shop", "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485"),
            ("", "c6a171787952c326786bf4f1f62d285499b8859ba2a61bc037855a4095bfdd5e"),
        ] {
            assert_eq!(SessionKey::derive(namespace, &id).as_str(), key, "{namespace}");
        }
    }

    #[test]
    fn no_two_pairs_of_namespace_and_id_have_one_key() {
        let own = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
        let own_and_colon = format!("b:{own}");
        let pairs = [
            ("a", "b:x"),
            ("a:b", "x"),
            ("", "a:b:x"),
            ("a:b:x", "!"),
            // What is hashed for the first pair, as the namespace or the id of others.
            ("1:a", "b:x"),
            ("1:a:b", "x"),
            ("", "1:a:b:x!"),
            ("1", "a:b:x!"),
            ("1:a", "b:x!"),
            ("a", "b:x!"),
            // An own id, and a foreign one that ends with it.
            ("a:b", own),
            ("a", &own_and_colon),
            ("3:a:b", own),
            ("1:a:b", own),
        ];
        let keys: std::collections::HashSet<_> =
            pairs.iter().map(|(namespace, id)| SessionKey::derive(namespace, &foreign(id))).collect();
        assert_eq!(keys.len(), pairs.len());
    }

    #[test]
    fn a_key_is_a_string_for_serde_and_checked_when_it_is_read() {
        let key = SessionKey::try_from("a:b").expect("it is visible");
        assert_eq!(serde_json::to_string(&key).ok().as_deref(), Some(r#""a:b""#));
        assert_eq!(serde_json::from_str::<SessionKey>(r#""a:b""#).ok(), Some(key.clone()));
        assert_eq!((SessionKey::try_from("a:b".to_owned()), key.as_ref()), (Ok(key.clone()), "a:b"));
        for bad in [r#""a b""#, r#""""#, "1", "null"] {
            assert!(serde_json::from_str::<SessionKey>(bad).is_err(), "{bad}");
        }
    }
}
