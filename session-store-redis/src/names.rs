//! The names of what is stored: the prefix, the parts of a namespace, and the keys of each.

use std::sync::Arc;

#[cfg(feature = "cluster")]
use session_core::Revision;
use session_core::SessionKey;

use crate::part::{TAGS, part_of};

/// What all keys of a store begin with, its namespace, and how its sessions are spread over parts.
///
/// A key goes on with `:{`, and a prefix has no brace, so what stands before the first brace of a key is one prefix only
/// (`NAMESPACE-03`). All keys of a part have the same tag in these braces, so that one script may touch them in a cluster. One server has
/// one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: Arc<str>,
    is_cluster: bool,
}

/// The refusal of a text that cannot be the prefix of a store's keys.
///
/// Refused are: an empty one, more than 255 bytes, control characters, and braces, which mean something in the keys of a
/// cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a prefix of keys is 1 to 255 bytes of text without control characters and braces")]
pub struct InvalidPrefix;

/// Where a session is. The scripts find the other names of its part by that of the record.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) part: u16,
    /// The record.
    pub(crate) record: String,
}

impl Names {
    /// Returns the names of a store that was not told another prefix.
    pub(crate) fn of_sessions(is_cluster: bool) -> Self {
        Self { prefix: "sessions".into(), is_cluster }
    }

    pub(crate) fn with_prefix(&self, text: &str) -> Result<Self, InvalidPrefix> {
        let fits = (1..=255).contains(&text.len());
        let is_plain = !text.chars().any(|letter| letter.is_control() || matches!(letter, '{' | '}'));
        if fits && is_plain { Ok(Self { prefix: text.into(), ..self.clone() }) } else { Err(InvalidPrefix) }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns all parts.
    pub(crate) fn parts(&self) -> std::ops::Range<u16> {
        if self.is_cluster { 0..crate::part::PARTS } else { 0..1 }
    }

    pub(crate) fn part_of(&self, key: &SessionKey) -> u16 {
        if self.is_cluster { part_of(key.as_str()) } else { 0 }
    }

    pub(crate) fn place_of(&self, key: &SessionKey) -> Place {
        let part = self.part_of(key);
        Place { part, record: self.named(part, &["key:", key.as_str()]) }
    }

    /// Returns what all names of a part begin with.
    pub(crate) fn base(&self, part: u16) -> String {
        self.named(part, &[])
    }

    /// Returns where the number of the layout stands.
    pub(crate) fn layout(&self) -> String {
        self.named(0, &["layout"])
    }

    /// Returns what is written so that replicas have something to acknowledge.
    pub(crate) fn written(&self, part: u16) -> String {
        self.named(part, &["written"])
    }

    /// Returns the name of the mark that an owner's sessions are being ended.
    #[cfg(feature = "cluster")]
    pub(crate) fn ending(&self, part: u16, owner: &str) -> String {
        self.named(part, &["ending:", owner])
    }

    /// Returns the name of the note about a rotation, by the revision that it writes.
    #[cfg(feature = "cluster")]
    pub(crate) fn note(&self, part: u16, revision: Revision) -> String {
        self.named(part, &["moved:", &format!("{:016x}", revision.number())])
    }

    /// Returns what a script declares beside the keys that it uses: in a cluster, two names that nothing is ever stored under.
    ///
    /// While a slot moves, its keys are on two nodes, and a script would take for absent what the other node has. But a node that has
    /// only some of the declared keys runs no script (`TRYAGAIN`): so none runs until the slot has moved.
    pub(crate) fn guards(&self, part: u16) -> Vec<String> {
        let names: &[&str] = if self.is_cluster { &["never:1", "never:2"] } else { &[] };
        names.iter().map(|name| self.named(part, &[name])).collect()
    }

    /// Makes a name of a part. By hand: each call makes some.
    fn named(&self, part: u16, pieces: &[&str]) -> String {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut name = String::with_capacity(self.prefix.len() + 7 + length);
        name.push_str(&self.prefix);
        name.push_str(":{");
        if self.is_cluster {
            // A tag is below 1000.
            let tag = TAGS[usize::from(part)];
            let digits = [tag / 100, tag / 10 % 10, tag % 10];
            let first = digits.iter().position(|digit| *digit > 0).unwrap_or(2);
            name.extend(digits[first..].iter().filter_map(|digit| char::from_digit((*digit).into(), 10)));
        } else {
            name.push_str("one");
        }
        name.push_str("}:");
        pieces.iter().for_each(|piece| name.push_str(piece));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_could_be_mistaken_for_another_is_refused() {
        let names = Names::of_sessions(false);
        for good in ["sessions", "a:b", "a b", "\u{540d}\u{524d}", "*", ":", &"p".repeat(255)] {
            assert!(names.with_prefix(good).is_ok(), "{good}");
        }
        for bad in ["", "a{b}", "{", "}", "a\nb", "a\0", &"p".repeat(256)] {
            assert_eq!(names.with_prefix(bad), Err(InvalidPrefix), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_record_has_its_tag_and_its_key() {
        let key: SessionKey = "52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e13782f485".parse().expect("hex");
        let place = Names::of_sessions(true).place_of(&key);
        assert_eq!(place.record, format!("sessions:{{{}}}:key:{key}", TAGS[usize::from(place.part)]));
        assert_eq!(Names::of_sessions(false).place_of(&key).record, format!("sessions:{{one}}:key:{key}"));
    }
}
