//! The names of what is stored: the prefix, and the keys of a part.

use session_core::{Revision, SessionKey};

use crate::part::{TAGS, part_of, set_of};

/// What all keys of a store begin with: its namespace.
///
/// A key goes on with `:{`, and a prefix has no brace, so what stands before the first brace of a key is one prefix only
/// (`NAMESPACE-03`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix(String);

/// The refusal of a text that cannot be the prefix of a store's keys.
///
/// Refused are: an empty one, more than 255 bytes, control characters, and braces, which mean something in the keys of a
/// cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a prefix of keys is 1 to 255 bytes of text without control characters and braces")]
pub struct InvalidPrefix;

impl Prefix {
    /// Returns the prefix of a store that was not told another one.
    pub(crate) fn sessions() -> Self {
        Self("sessions".to_owned())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPrefix> {
        let fits = (1..=255).contains(&text.len());
        let is_plain = !text.chars().any(|letter| letter.is_control() || matches!(letter, '{' | '}'));
        if fits && is_plain { Ok(Self(text.to_owned())) } else { Err(InvalidPrefix) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names that belong to a session.
    pub(crate) fn place_of(&self, key: &SessionKey) -> Place {
        let name = key.as_str();
        let part = part_of(name);
        Place { part, record: self.named(part, &["key:", name]), set: set_of(part, name) }
    }

    /// Returns the name of the mark that an owner's sessions are being ended.
    #[cfg(feature = "cluster")]
    pub(crate) fn ending(&self, part: u16, owner: &str) -> String {
        self.named(part, &["ending:", owner])
    }

    /// Returns the name of the note about a rotation, by the revision that it writes.
    #[cfg(feature = "cluster")]
    pub(crate) fn note(&self, part: u16, revision: Revision) -> String {
        self.of_revision(part, "moved:", revision)
    }

    /// Returns the name that a long record has until its script comes, by the revision that it is to have. Only its own
    /// transaction sees it.
    pub(crate) fn stage(&self, part: u16, revision: Revision) -> String {
        self.of_revision(part, "staged:", revision)
    }

    fn of_revision(&self, part: u16, kind: &str, revision: Revision) -> String {
        self.named(part, &[kind, &format!("{:016x}", revision.number())])
    }

    /// Returns two names of a part that nothing is ever stored under.
    #[cfg(feature = "cluster")]
    pub(crate) fn never(&self, part: u16) -> [String; 2] {
        ["never:1", "never:2"].map(|name| self.named(part, &[name]))
    }

    /// Makes a name of a part. By hand: each call makes some.
    fn named(&self, part: u16, pieces: &[&str]) -> String {
        let tag = TAGS[usize::from(part)];
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut name = String::with_capacity(self.0.len() + 7 + length);
        name.push_str(&self.0);
        name.push_str(":{");
        // A tag is below 1000.
        let digits = [tag / 100, tag / 10 % 10, tag % 10];
        let first = digits.iter().position(|digit| *digit > 0).unwrap_or(2);
        name.extend(digits[first..].iter().filter_map(|digit| char::from_digit((*digit).into(), 10)));
        name.push_str("}:");
        pieces.iter().for_each(|piece| name.push_str(piece));
        name
    }
}

/// Where a session is. The scripts find the other names of its part by that of the record.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) part: u16,
    /// The record.
    pub(crate) record: String,
    /// The number of the set of the index that the session is filed in.
    pub(crate) set: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_could_be_mistaken_for_another_is_refused() {
        for good in ["sessions", "a:b", "a b", "名前", "*", ":", &"p".repeat(255)] {
            assert!(Prefix::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a{b}", "{", "}", "a\nb", "a\0", &"p".repeat(256)] {
            assert_eq!(Prefix::parse(bad), Err(InvalidPrefix), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_record_has_its_tag_and_its_key() {
        let key: SessionKey = "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485".parse().expect("hex");
        let place = Prefix::sessions().place_of(&key);
        assert_eq!(place.record, format!("sessions:{{{}}}:key:{key}", TAGS[usize::from(place.part)]));
    }
}
