//! The user that a session belongs to.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// The id of the user that a session belongs to: 1 to 255 bytes of text without control characters.
///
/// It is the application's own user id, compared byte for byte. Stores index it, so that the sessions of one user
/// can be listed and ended. Prefer an opaque id over an e-mail address: it is stored in the clear and shown in logs.
///
/// It is made from text, which is checked, and from the whole numbers that databases count users with, as their decimal
/// digits. Serde sees a string, which is checked when it is read. Cloning shares the text.
///
/// ```
/// use session_core::OwnerId;
///
/// assert_eq!(OwnerId::from(17), OwnerId::try_from("17")?);
/// assert!(OwnerId::try_from("").is_err());
/// # Ok::<(), session_core::InvalidOwner>(())
/// ```
#[doc(alias = "UserId")]
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct OwnerId(Arc<str>);

/// The refusal of text that cannot be an owner id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner id is 1 to 255 bytes of text without control characters")]
pub struct InvalidOwner;

impl From<Infallible> for InvalidOwner {
    /// Lets a function take anything that is `TryInto<OwnerId>` with an error that is `Into<InvalidOwner>`: text, which
    /// may be refused, and numbers and owners, which never are.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl OwnerId {
    /// The most bytes that an owner id may have.
    pub const MAX_LENGTH: usize = 255;

    /// Parses a user id.
    ///
    /// # Errors
    ///
    /// [`InvalidOwner`] if the text is empty, longer than [`MAX_LENGTH`](Self::MAX_LENGTH) bytes, or holds a control
    /// character.
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

impl TryFrom<&str> for OwnerId {
    type Error = InvalidOwner;

    fn try_from(text: &str) -> Result<Self, InvalidOwner> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for OwnerId {
    type Error = InvalidOwner;

    fn try_from(text: &String) -> Result<Self, InvalidOwner> {
        Self::parse(text)
    }
}

impl TryFrom<String> for OwnerId {
    type Error = InvalidOwner;

    fn try_from(text: String) -> Result<Self, InvalidOwner> {
        Self::parse(&text)
    }
}

impl From<&Self> for OwnerId {
    fn from(owner: &Self) -> Self {
        owner.clone()
    }
}

/// A number is a type of the standard library each; there is no trait of all of them.
macro_rules! from_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for OwnerId {
            /// Writes the number in decimal digits.
            fn from(number: $number) -> Self {
                // At most 40 characters, none of which is a control character.
                Self(number.to_string().into())
            }
        }
    )*};
}

from_numbers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl AsRef<str> for OwnerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for OwnerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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

    #[test]
    fn an_owner_is_made_from_what_applications_have() {
        fn owner<O: TryInto<OwnerId>>(owner: O) -> Result<OwnerId, InvalidOwner>
        where
            InvalidOwner: From<O::Error>,
        {
            Ok(owner.try_into()?)
        }

        let text = String::from("17");
        let ada = OwnerId::parse("17").expect("it is short");
        for made in [owner("17"), owner(&text), owner(text), owner(17), owner(17_u64), owner(&ada)] {
            assert_eq!(made, Ok(ada.clone()));
        }
        assert_eq!(owner(i64::MIN).map(|owner| owner.to_string()).as_deref(), Ok("-9223372036854775808"));
        assert_eq!(OwnerId::from(i128::MIN).as_ref().len(), 40);
        assert_eq!(owner("a\n"), Err(InvalidOwner));
    }

    #[test]
    fn an_owner_is_a_string_for_serde_and_checked_when_it_is_read() {
        let owner = OwnerId::from(17);
        assert_eq!(serde_json::to_string(&owner).ok().as_deref(), Some(r#""17""#));
        assert_eq!(serde_json::from_str::<OwnerId>(r#""17""#).ok(), Some(owner));
        for bad in [r#""""#, r#""a\u0000""#, "17", "null"] {
            assert!(serde_json::from_str::<OwnerId>(bad).is_err(), "{bad}");
        }
    }
}
