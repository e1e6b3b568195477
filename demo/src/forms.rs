//! What people type into the forms, checked before anything is done with it.

use std::time::Duration;

use session_core::{OwnerId, SessionKey};

/// A user's name: 1 to 64 characters without control characters, white space around it dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserName(OwnerId);

/// What lies in a cart: 1 to 80 characters without control characters, white space around it dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item(String);

/// How long a request thinks between reading and writing: 0 to 5000 milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delay(Duration);

/// The refusal of what was typed, in a sentence for the person who did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadInput {
    #[error("Please give a user name.")]
    NoUser,
    #[error("A user name has at most {} characters, and no line breaks or other control characters.", UserName::MAX)]
    BadUser,
    #[error("Please say what to put into the cart.")]
    NoItem,
    #[error("An item has at most {} characters, and no line breaks or other control characters.", Item::MAX)]
    BadItem,
    #[error("The delay is a whole number of milliseconds from 0 to {}.", Delay::MAX_MILLIS)]
    BadDelay,
    #[error("That is not the key of a session.")]
    BadKey,
    #[error("The cart is full.")]
    FullCart,
}

impl UserName {
    const MAX: usize = 64;

    pub(crate) fn parse(text: Option<&str>) -> Result<Self, BadInput> {
        let text = text.map(str::trim).filter(|text| !text.is_empty()).ok_or(BadInput::NoUser)?;
        if text.chars().count() > Self::MAX {
            return Err(BadInput::BadUser);
        }
        OwnerId::parse(text).map(Self).map_err(|_| BadInput::BadUser)
    }

    pub(crate) fn into_owner(self) -> OwnerId {
        self.0
    }
}

impl Item {
    const MAX: usize = 80;

    pub(crate) fn parse(text: Option<&str>) -> Result<Self, BadInput> {
        let text = text.map(str::trim).filter(|text| !text.is_empty()).ok_or(BadInput::NoItem)?;
        let fits = text.chars().count() <= Self::MAX && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadInput::BadItem) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Delay {
    const MAX_MILLIS: u64 = 5000;

    /// Reads a delay; an absent or empty field is none.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, BadInput> {
        let millis = match text.map(str::trim) {
            None | Some("") => 0,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| BadInput::BadDelay)?
            }
            Some(_) => return Err(BadInput::BadDelay),
        };
        if millis <= Self::MAX_MILLIS { Ok(Self(Duration::from_millis(millis))) } else { Err(BadInput::BadDelay) }
    }

    pub(crate) fn duration(self) -> Duration {
        self.0
    }
}

/// Reads the key of a session from a form.
pub(crate) fn parse_key(text: Option<&str>) -> Result<SessionKey, BadInput> {
    SessionKey::parse(text.unwrap_or_default()).map_err(|_| BadInput::BadKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_short_text() {
        let name = |text: &str| UserName::parse(Some(text)).map(|name| name.into_owner().to_string());
        assert_eq!(name(" Ada Lovelace "), Ok("Ada Lovelace".into()));
        // 64 letters fit however many bytes they have, as long as an owner may have those.
        assert!(name(&"ä".repeat(64)).is_ok());
        assert_eq!(name(&"a".repeat(65)), Err(BadInput::BadUser));
        assert_eq!(name(&"🦀".repeat(64)), Err(BadInput::BadUser));
        assert_eq!(name("a\u{7}b"), Err(BadInput::BadUser));
        assert_eq!(name("  "), Err(BadInput::NoUser));
        assert_eq!(UserName::parse(None), Err(BadInput::NoUser));
    }

    #[test]
    fn an_item_is_short_text() {
        assert_eq!(Item::parse(Some(" green tea ")).as_ref().map(Item::as_str), Ok("green tea"));
        assert!(Item::parse(Some(&"🍵".repeat(80))).is_ok());
        assert_eq!(Item::parse(Some(&"x".repeat(81))), Err(BadInput::BadItem));
        assert_eq!(Item::parse(Some("a\nb")), Err(BadInput::BadItem));
        assert_eq!(Item::parse(Some("")), Err(BadInput::NoItem));
        assert_eq!(Item::parse(None), Err(BadInput::NoItem));
    }

    #[test]
    fn a_delay_is_a_number_up_to_five_seconds() {
        let millis = |text: Option<&str>| Delay::parse(text).map(|delay| delay.duration().as_millis());
        assert_eq!(millis(None), Ok(0));
        assert_eq!(millis(Some("")), Ok(0));
        assert_eq!(millis(Some("0")), Ok(0));
        assert_eq!(millis(Some(" 5000 ")), Ok(5000));
        for bad in ["5001", "-1", "+1", "1.5", "1e3", "soon", "99999999999999999999999"] {
            assert_eq!(millis(Some(bad)), Err(BadInput::BadDelay), "{bad}");
        }
    }

    #[test]
    fn a_key_is_one_of_the_core() {
        assert!(parse_key(Some("52b8f5c3")).is_ok());
        for bad in [None, Some(""), Some("a b"), Some("ä")] {
            assert_eq!(parse_key(bad), Err(BadInput::BadKey), "{bad:?}");
        }
    }
}
