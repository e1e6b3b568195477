//! Thirty-two secret bytes that leave no trace in memory or in a log.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The refusal of keys that could not protect anything, or not be told apart. It holds nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeys {
    /// The list is empty.
    #[error("at least one key is needed to encrypt sessions")]
    Missing,
    /// A key does not have 32 bytes.
    #[error("a key has exactly 32 bytes")]
    WrongLength,
    /// The text of a key is not 64 hexadecimal digits.
    #[error("a key is written as 64 hexadecimal digits")]
    NotHex,
    /// The id of a key cannot be one.
    #[error("a key id is 1 to 32 characters of A-Z, a-z, 0-9, - and _")]
    InvalidId,
    /// Two keys of the list have the same id.
    #[error("two keys have the same id")]
    DuplicateId,
}

/// The bytes of a key. They live in one place on the heap and are wiped when they are dropped.
pub(crate) struct Secret(Box<[u8; Secret::LENGTH]>);

impl Secret {
    pub(crate) const LENGTH: usize = 32;

    pub(crate) fn new(bytes: &[u8]) -> Result<Self, InvalidKeys> {
        if bytes.len() != Self::LENGTH {
            return Err(InvalidKeys::WrongLength);
        }
        let mut secret = Self(Box::new([0; Self::LENGTH]));
        secret.0.copy_from_slice(bytes);
        Ok(secret)
    }

    pub(crate) fn from_hex(text: &str) -> Result<Self, InvalidKeys> {
        if text.len() != 2 * Self::LENGTH {
            return Err(InvalidKeys::NotHex);
        }
        let mut secret = Self(Box::new([0; Self::LENGTH]));
        for (byte, pair) in secret.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(secret)
    }

    pub(crate) fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

fn digit(character: u8) -> Result<u8, InvalidKeys> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(InvalidKeys::NotHex),
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_32_bytes_or_64_hexadecimal_digits() {
        let text = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let bytes: Vec<u8> = (0..32).collect();
        assert_eq!(Secret::from_hex(text).expect("64 digits").expose().as_slice(), bytes);
        assert_eq!(Secret::new(&bytes).expect("32 bytes").expose().as_slice(), bytes);
        for wrong in [&bytes[..31], &[7; 33], &[]] {
            assert_eq!(Secret::new(wrong).err(), Some(InvalidKeys::WrongLength));
        }
        for wrong in [&text[2..], "", &text.replace('f', "g"), &text.replace("1F", "é"), &text.replace("00", "+0")] {
            assert_eq!(Secret::from_hex(wrong).err(), Some(InvalidKeys::NotHex), "{wrong}");
        }
    }
}
