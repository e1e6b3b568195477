//! A session's key, packed.

use std::hash::{BuildHasher, Hasher, RandomState};

use hashbrown::DefaultHashBuilder;
use session_core::SessionKey;

/// The digest of a derived key takes half the space of its hexadecimal text, and no allocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StoredKey {
    /// A key of exactly 64 lower-case hexadecimal digits.
    Digest([u8; 32]),
    /// Any other.
    Text(SessionKey),
}

impl StoredKey {
    pub(crate) fn new(key: &SessionKey) -> Self {
        decode(key.as_str().as_bytes()).map_or_else(|| Self::Text(key.clone()), Self::Digest)
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
    pub(crate) fn unpack(&self) -> Option<SessionKey> {
        match self {
            Self::Text(key) => Some(key.clone()),
            Self::Digest(digest) => {
                let text: String =
                    digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(letter).map(char::from).collect();
                // 64 hexadecimal digits are always a key.
                SessionKey::parse(&text).ok()
            }
        }
    }
}

/// Reads 64 lower-case hexadecimal digits. No branch depends on a digit, so that the compiler takes many at a time.
fn decode(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let (mut values, mut wrong) = ([0; 64], 0);
    for (value, digit) in values.iter_mut().zip(text) {
        // Right for all digits, and for anything else the value of another digit.
        *value = ((digit & 15) + 9 * (digit >> 6)) & 15;
        wrong |= letter(*value) ^ digit;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(values.chunks_exact(2)) {
        *byte = (pair[0] << 4) | pair[1];
    }
    (wrong == 0).then_some(digest)
}

/// Writes a hexadecimal digit.
fn letter(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// Hashes keys so that nobody who chooses them can make many of them meet.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher {
    /// Fast for what is as good as random already.
    digests: DefaultHashBuilder,
    texts: RandomState,
}

impl KeyHasher {
    pub(crate) fn hash(&self, key: &StoredKey) -> u64 {
        match key {
            StoredKey::Digest(digest) => {
                let mut hasher = self.digests.build_hasher();
                hasher.write(digest);
                hasher.finish()
            }
            StoredKey::Text(key) => self.texts.hash_one(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485";

    fn stored(text: &str) -> StoredKey {
        StoredKey::new(&SessionKey::parse(text).expect("visible ASCII"))
    }

    #[test]
    fn a_key_comes_out_as_it_went_in_and_only_equal_keys_are_equal() {
        let texts =
            [DIGEST.to_owned(), DIGEST.to_uppercase(), DIGEST[1..].to_owned(), format!("{DIGEST}0"), "!".into()];
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(stored(text).unpack().as_ref().map(SessionKey::as_str), Some(&**text));
            assert_eq!(texts.iter().position(|other| stored(other) == stored(text)), Some(number));
        }
    }

    #[test]
    fn only_lower_case_hexadecimal_digits_are_packed() {
        for byte in b'!'..=b'~' {
            let letter = char::from(byte);
            for place in [0, 1, 31, 62, 63] {
                let mut text = DIGEST.to_owned();
                text.replace_range(place..=place, letter.encode_utf8(&mut [0; 4]));
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(matches!(stored(&text), StoredKey::Digest(_)), is_digit, "{letter} at {place}");
                assert_eq!(stored(&text).unpack().map(|key| key.to_string()), Some(text));
            }
        }
        let StoredKey::Digest(digest) = stored(DIGEST) else { panic!("a digest is packed") };
        assert_eq!((digest[0], digest[1], digest[31]), (0x52, 0xb8, 0x85));
    }
}
