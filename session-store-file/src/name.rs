//! The names of files: hex digits of hashes, so that no character of a key or an owner reaches the file system.

use std::fmt;

use session_core::{OwnerId, SessionKey};
use sha2::{Digest, Sha256};

/// The file name of a record: SHA-256 of its key in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordName([u8; 64]);

/// What stands for an owner in the names of index entries: the first half of SHA-256 in lower-case hex.
///
/// An entry is only a hint: whose a record is, the record says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnerTag([u8; 32]);

impl RecordName {
    /// Derives the name of the file that holds `key`.
    pub(crate) fn of(key: &SessionKey) -> Self {
        Self(hex(&Sha256::digest(key.as_str())))
    }

    /// Reads a name out of a folder; `None` if no key can have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }

    /// Returns the greatest name that a record of a shard can have.
    pub(crate) fn last_of(shard: u8) -> Self {
        let mut bytes = [u8::MAX; 32];
        bytes[0] = shard;
        Self(hex(&bytes))
    }

    /// Returns the name as text.
    pub(crate) fn as_str(&self) -> &str {
        // Hex digits are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the number of the folder and the lock that the record shares with others: its first two digits.
    pub(crate) fn shard(&self) -> u8 {
        u8::from_str_radix(&self.as_str()[..2], 16).unwrap_or_default()
    }
}

impl OwnerTag {
    /// Derives the tag of an owner.
    pub(crate) fn of(owner: &OwnerId) -> Self {
        Self(hex(&Sha256::digest(owner.as_str())))
    }

    /// Reads a tag out of an entry's name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }

    /// Returns the tag as text.
    pub(crate) fn as_str(&self) -> &str {
        // Hex digits are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; N];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.as_bytes().try_into().ok().filter(|text: &[u8; N]| text.iter().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_hash_and_nothing_else() {
        // printf '../etc/passwd' | sha256sum
        let key = SessionKey::parse("../etc/passwd").expect("visible");
        let name = RecordName::of(&key);
        assert_eq!(name.as_str(), "7fef78f53440346c04dac510d59620d42ec06e3441b45b527edb53a0e4624058");
        assert_eq!(name.shard(), 0x7f);
        assert_eq!(RecordName::parse(name.as_str()), Some(name));
    }

    #[test]
    fn what_no_key_can_have_is_not_a_name() {
        for bad in ["", "new", "..", &"A".repeat(64), &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(RecordName::parse(bad), None, "{bad}");
        }
    }
}
