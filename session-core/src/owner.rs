//! The user that a session belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The id of the user that a session belongs to: 1 to 255 bytes of text without control characters.
///
/// It is the application's own user id, compared byte for byte. Stores index it, so that the sessions of one user
/// can be listed and ended. Prefer an opaque id over an e-mail address: it is stored in the clear and shown in logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(Arc<str>);

/// The refusal of text that cannot be an owner id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner id is 1 to 255 bytes of text without control characters")]
pub struct InvalidOwner;

impl OwnerId {
    /// The most bytes that an owner id may have.
    pub const MAX_LENGTH: usize = 255;

    /// Parses a user id.
    pub fn parse(text: &str) -> Result<Self, InvalidOwner> {
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        if fits && !text.chars().any(char::is_control) { Ok(Self(text.into())) } else { Err(InvalidOwner) }
    }

    /// Returns the user id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OwnerId {
    type Err = InvalidOwner;

    fn from_str(text: &str) -> Result<Self, InvalidOwner> {
        Self::parse(text)
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerId({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_bounded_text_without_control_characters() {
        for good in ["1", "ada@example.org", "名前", " ", &"é".repeat(127)] {
            assert_eq!(OwnerId::parse(good).map(|owner| owner.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "a\0b", "a\n", &"é".repeat(128)] {
            assert_eq!(OwnerId::parse(bad), Err(InvalidOwner), "{bad:?}");
        }
    }
}
