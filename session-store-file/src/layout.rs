//! Where things are: the names of files, which are hashes, and the paths below the store's folder.
//!
//! ```text
//! layout                                      the number of all this
//! locks/ab, locks/owner-ab                    empty; never removed
//! records/ab/abcd…                            one record; `records/ab/new` is the one that is being written
//! sweep/0017673/55a/001767355200000.abcd….0f1e…  empty: record abcd… of owner 0f1e… is due at that time, not before
//! owners/0f1/0f1e….abcd…                      empty: record abcd… may belong to owner 0f1e…
//! sweep/whole, owners/whole                   empty: no such entry is missing
//! spare/                                      the same three folders, empty: `clear` puts them in the place of the others
//! ended/                                      what `clear` has put away and is about to remove
//! ```
//!
//! The entries below `sweep` and `owners` are further names of `locks/ab`, where the file system has such.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{OwnerId, SessionKey};
use sha2::{Digest, Sha256};

use crate::hints::Hints;

/// The folders that `clear` renews, all at once.
pub(crate) const PARTS: [&str; 3] = ["records", "sweep", "owners"];
/// The empty file in each folder of hints that says that none of them is missing.
pub(crate) const WHOLE: &str = "whole";

/// The folder of a store, as an absolute path.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: Arc<Path>,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn number(&self) -> PathBuf {
        self.below(&["layout"])
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.below(&["locks"])
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.below(&["locks", name])
    }

    /// One of the three folders that `clear` renews.
    pub(crate) fn part(&self, part: &str) -> PathBuf {
        self.below(&[part])
    }

    /// The empty folder that will take the place of a part.
    pub(crate) fn spare(&self, part: &str) -> PathBuf {
        self.below(&["spare", part])
    }

    /// The folder that was in the place of a part.
    pub(crate) fn ended(&self, part: &str) -> PathBuf {
        self.below(&["ended", part])
    }

    pub(crate) fn shard(&self, shard: u8) -> PathBuf {
        self.below(&["records", &format!("{shard:02x}")])
    }

    pub(crate) fn record(&self, name: &RecordName) -> PathBuf {
        self.below(&["records", &name.as_str()[..2], name.as_str()])
    }

    /// The file that becomes a record by being renamed. One per shard is enough: whoever writes holds the shard's lock.
    pub(crate) fn staged(&self, shard: u8) -> PathBuf {
        self.below(&["records", &format!("{shard:02x}"), "new"])
    }

    /// The folder of about 28 hours, and in it one for each 1000 seconds and first digit of a record: sessions that begin together are
    /// due together, and the system lets one write to a folder at a time.
    pub(crate) fn sweep_entry(&self, hints: &Hints) -> PathBuf {
        let name = hints.sweep_name();
        self.below(&["sweep", &name[..7], &format!("{}{}", &name[7..9], &hints.name.as_str()[..1]), &name])
    }

    /// The folder in which the entries of an owner are, among those of others whose tags begin alike.
    pub(crate) fn owner_folder(&self, owner: &OwnerTag) -> PathBuf {
        self.below(&["owners", &owner.as_str()[..3]])
    }

    pub(crate) fn owner_entry(&self, owner: &OwnerTag, name: &RecordName) -> PathBuf {
        let (owner, name) = (owner.as_str(), name.as_str());
        self.below(&["owners", &owner[..3], &format!("{owner}.{name}")])
    }

    fn below(&self, parts: &[&str]) -> PathBuf {
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + length);
        path.push(&self.root);
        path.extend(parts);
        path
    }
}

/// The file name of a record: SHA-256 of its key in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordName([u8; 64]);

/// What stands for an owner in the names of index entries: the first half of SHA-256 in lower-case hex.
///
/// An entry is only a hint: whose a record is, the record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        first_byte(self.as_str())
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

    /// Returns the number of the lock that the owner shares with others.
    pub(crate) fn lock(&self) -> u8 {
        first_byte(self.as_str())
    }

    /// Returns the tag as text.
    pub(crate) fn as_str(&self) -> &str {
        // Hex digits are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn first_byte(hex: &str) -> u8 {
    u8::from_str_radix(&hex[..2], 16).unwrap_or_default()
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
