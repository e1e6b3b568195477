//! One stored session, packed: a process may keep a million of them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use session_core::{Data, OwnerId, Record, Revision, SessionInfo, SessionKey, Timestamp};

/// A key, packed: the digest of a derived key takes half the space of its hexadecimal text, and no allocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StoredKey {
    /// A key of exactly 64 lower-case hexadecimal digits.
    Digest([u8; 32]),
    /// Any other.
    Text(SessionKey),
}

impl StoredKey {
    /// Comes before all other keys.
    pub(crate) const FIRST: Self = Self::Digest([0; 32]);

    pub(crate) fn new(key: &SessionKey) -> Self {
        digest(key.as_str().as_bytes()).map_or_else(|| Self::Text(key.clone()), Self::Digest)
    }

    /// Returns a number that is as good as random if the key is.
    pub(crate) fn spread(&self) -> u8 {
        match self {
            Self::Digest([first, ..]) => *first,
            // The upper bits of an FNV-1a hash have seen every byte.
            Self::Text(key) => {
                let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                let [.., last] = key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, mix).to_le_bytes();
                last
            }
        }
    }

    /// Returns the key as it was given.
    fn unpack(&self) -> Option<SessionKey> {
        match self {
            Self::Text(key) => Some(key.clone()),
            Self::Digest(digest) => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let pairs = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                let text: String = pairs.map(|digit| char::from(DIGITS[usize::from(digit)])).collect();
                // 64 hexadecimal digits are always a key.
                SessionKey::parse(&text).ok()
            }
        }
    }
}

fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    };
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(digest)
}

/// A record under its key. It never changes: what is written is a new one.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: StoredKey,
    data: Data,
    pub(crate) owner: Option<OwnerId>,
    created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// [`NO_DEADLINE`](Node::NO_DEADLINE) or milliseconds: half the size of an `Option`.
    deadline: i64,
    pub(crate) revision: Revision,
}

impl Node {
    const NO_DEADLINE: i64 = -1;

    /// Makes the first node of a session.
    pub(crate) fn new(key: StoredKey, record: &Record) -> Self {
        Self {
            key,
            data: record.data.clone(),
            owner: record.owner.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            deadline: record.deadline.map_or(Self::NO_DEADLINE, Timestamp::unix_millis),
            revision: Revision::fresh(),
        }
    }

    /// Makes the node that takes this one's place, under the same key or another.
    ///
    /// It keeps the beginning and the deadline, whatever the record says (`UPDATE-06`, `ROTATE-05`).
    pub(crate) fn successor(&self, key: StoredKey, record: &Record) -> Self {
        Self { created_at: self.created_at, deadline: self.deadline, ..Self::new(key, record) }
    }

    /// Makes the node that differs from this one in its expiry only.
    pub(crate) fn touched(&self, expires_at: Timestamp) -> Self {
        Self {
            key: self.key.clone(),
            data: self.data.clone(),
            owner: self.owner.clone(),
            created_at: self.created_at,
            expires_at,
            deadline: self.deadline,
            revision: self.revision,
        }
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    pub(crate) fn record(&self) -> Record {
        let mut record = Record::new(self.data.clone(), self.created_at, self.expires_at);
        record.deadline = self.deadline();
        record.owner = self.owner.clone();
        record
    }

    pub(crate) fn info(&self) -> Option<SessionInfo> {
        let key = self.key.unpack()?;
        Some(SessionInfo::new(key, self.created_at, self.expires_at, self.deadline(), self.owner.clone()))
    }

    fn deadline(&self) -> Option<Timestamp> {
        // Whatever is not the mark was a timestamp.
        Timestamp::from_unix_millis(self.deadline).ok()
    }
}

/// A node as its key finds it.
#[derive(Debug)]
pub(crate) struct ByKey(pub(crate) Arc<Node>);

impl Borrow<StoredKey> for ByKey {
    fn borrow(&self) -> &StoredKey {
        &self.0.key
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

/// A node in the order of expiries. The time is here too, so that most comparisons need not look at the node.
#[derive(Debug)]
pub(crate) struct ByExpiry(Timestamp, Arc<Node>);

impl ByExpiry {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self(node.expires_at, node)
    }

    pub(crate) fn node(&self) -> &Node {
        &self.1
    }
}

impl Ord for ByExpiry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0).then_with(|| self.1.key.cmp(&other.1.key))
    }
}

/// A node in the order of owners, and of keys within one.
#[derive(Debug)]
pub(crate) struct ByOwner(pub(crate) Arc<Node>);

impl ByOwner {
    /// Returns where the sessions of an owner begin, or go on after a key.
    pub(crate) fn start(owner: &OwnerId, after: Option<&StoredKey>) -> Bound<Self> {
        let record = Record::new(Data::empty(), Timestamp::MIN, Timestamp::MIN).with_owner(owner.clone());
        let place = |key: &StoredKey| Self(Arc::new(Node::new(key.clone(), &record)));
        after.map_or_else(|| Bound::Included(place(&StoredKey::FIRST)), |key| Bound::Excluded(place(key)))
    }
}

impl Ord for ByOwner {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.owner.cmp(&other.0.owner).then_with(|| self.0.key.cmp(&other.0.key))
    }
}

/// Equality and partial order from the order.
macro_rules! compare_by_order {
    ($order:ty) => {
        impl PartialOrd for $order {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $order {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $order {}
    };
}

compare_by_order!(ByExpiry);
compare_by_order!(ByOwner);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_out_as_it_went_in_and_only_equal_keys_are_equal() {
        let digest = "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485";
        let texts =
            [digest.to_owned(), digest.to_uppercase(), digest[1..].to_owned(), format!("{digest}0"), "!".into()];
        let keys = texts.map(|text| SessionKey::parse(&text).expect("visible ASCII"));
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(StoredKey::new(key).unpack().as_ref(), Some(key));
            assert_eq!(keys.iter().position(|other| StoredKey::new(other) == StoredKey::new(key)), Some(number));
            assert!(StoredKey::FIRST < StoredKey::new(key));
        }
    }

    #[test]
    fn a_session_takes_no_more_than_two_cache_lines() {
        // Beside the two reference counts that stand before it.
        assert!(size_of::<Node>() + 2 * size_of::<usize>() <= 128, "{}", size_of::<Node>());
    }
}
