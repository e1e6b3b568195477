//! The session's data as the handler sees it: what was loaded, with the changes of this request over it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use session_core::Data;

use crate::Error;

/// The name under which a session's own age is kept among the values, in milliseconds, `null` for [`Age::OfBrowser`]. No value of the
/// application has it.
pub(crate) const MAX_AGE: &str = "__max_age";

/// The name under which a [`Login`](crate::login::Login) is kept among the values.
pub(crate) const LOGIN: &str = "__login";

/// How the names begin in the text of the data.
const MARK: &str = "\"__";

/// Says whether a name is the session's own and not the application's.
pub(crate) fn is_own(name: &str) -> bool {
    name == MAX_AGE || name == LOGIN
}

/// Loaded data with changes over it. Cloning copies pointers, never values.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    base: Data,
    /// The base has something in it that looks like a name of the session's own.
    is_marked: bool,
    /// The base counts as empty.
    cleared: bool,
    /// What was set (`Some`) or removed (`None`), each name once.
    edits: Vec<(Arc<str>, Option<Arc<RawValue>>)>,
    /// What was removed at some time: set again, it comes last.
    removed: Vec<Arc<str>>,
}

/// How long a session's cookie lives, as far as the session says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It does not.
    OfPolicy,
    /// Until the browser closes, though the policy has an age.
    OfBrowser,
    /// The session too.
    Own(Duration),
}

/// One value, found and not yet parsed, so that a caller's own code never runs under a lock.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    Edited(Arc<RawValue>),
    Stored(Data),
}

impl Draft {
    pub(crate) fn new(base: Data) -> Self {
        Self { is_marked: base.as_str().contains(MARK), base, ..Self::default() }
    }

    pub(crate) fn find(&self, name: &str) -> Found {
        match self.edits.iter().find(|(edited, _)| &**edited == name) {
            Some((_, Some(value))) => Found::Edited(value.clone()),
            Some((_, None)) => Found::Nothing,
            None if self.cleared => Found::Nothing,
            None => Found::Stored(self.base.clone()),
        }
    }

    pub(crate) fn put(&mut self, name: &Arc<str>, value: Option<Arc<RawValue>>) {
        if value.is_none() && !self.removed.contains(name) {
            self.removed.push(name.clone());
        }
        match self.edits.iter().position(|(edited, _)| edited == name) {
            Some(index) if self.edits[index].1.is_some() => self.edits[index].1 = value,
            Some(index) => {
                self.edits.remove(index);
                self.edits.push((name.clone(), value));
            }
            None => self.edits.push((name.clone(), value)),
        }
    }

    pub(crate) fn clear(&mut self) {
        // What is the session's own is not one of its values.
        let own: Vec<_> =
            [MAX_AGE, LOGIN].into_iter().filter_map(|name| Some((name, self.find_own(name).to_raw(name)?))).collect();
        self.cleared = true;
        self.edits.clear();
        self.removed.clear();
        for (name, value) in own {
            self.put(&name.into(), Some(value));
        }
    }

    /// Returns the session's own age, if it has one.
    pub(crate) fn max_age(&self) -> Option<Duration> {
        match self.age() {
            Age::Own(age) => Some(age),
            Age::OfPolicy | Age::OfBrowser => None,
        }
    }

    pub(crate) fn age(&self) -> Age {
        match self.find_own(MAX_AGE).read(MAX_AGE) {
            Ok(Some(Some(millis))) => Age::Own(Duration::from_millis(millis)),
            Ok(Some(None)) => Age::OfBrowser,
            Ok(None) | Err(_) => Age::OfPolicy,
        }
    }

    /// Finds a value of the session's own. Mostly there is none, and then the data is not gone through.
    pub(crate) fn find_own(&self, name: &str) -> Found {
        match self.find(name) {
            Found::Stored(_) if !self.is_marked => Found::Nothing,
            found => found,
        }
    }

    /// Returns the data that is to be stored, or `None` if writing it would change nothing: a value set to the text that it had is
    /// not a change. To clear is one: other requests may have set something.
    pub(crate) fn changed(&self) -> Option<Data> {
        if self.cleared {
            return Some(self.to_data());
        }
        if self.removed.is_empty() {
            return self.base.changed_by(&self.edits());
        }
        let differs =
            |(name, value): &(Arc<str>, Option<Arc<RawValue>>)| text(self.base.raw(name)) != text(value.as_deref());
        self.edits.iter().any(differs).then(|| self.to_data())
    }

    /// Returns the data as it is now: that which is stored if nothing was written.
    pub(crate) fn current(&self) -> Data {
        if self.edits.is_empty() && !self.cleared { self.base.clone() } else { self.to_data() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        if self.edits.iter().any(|(name, value)| value.is_some() && !is_own(name)) {
            return false;
        }
        let is_plain = self.edits.is_empty() && !self.is_marked;
        self.cleared || if is_plain { self.base.is_empty() } else { self.keys().is_empty() }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys = if self.edits.is_empty() && !self.cleared { self.base.keys() } else { self.to_data().keys() };
        keys.retain(|name| !is_own(name));
        keys
    }

    /// Writes the data that is to be stored.
    pub(crate) fn to_data(&self) -> Data {
        let removed: Vec<_> = self.removed.iter().map(|name| (&**name, None)).collect();
        let base = if self.cleared { Data::empty() } else { self.base.with_changes(&removed) };
        base.with_changes(&self.edits())
    }

    fn edits(&self) -> Vec<(&str, Option<&RawValue>)> {
        self.edits.iter().map(|(name, value)| (&**name, value.as_deref())).collect()
    }
}

impl Age {
    /// Writes what is kept, if anything. A number and `null` are JSON.
    pub(crate) fn to_value(self) -> Option<Arc<RawValue>> {
        match self {
            Self::OfPolicy => None,
            Self::OfBrowser => write(&()).ok(),
            Self::Own(age) => write(&age.as_millis()).ok(),
        }
    }
}

impl Found {
    /// Says whether a value is still that which was found before. Mostly nothing at all has changed, and nothing is looked for.
    pub(crate) fn is_still(&self, before: &Self, name: &str) -> bool {
        match (self, before) {
            (Self::Edited(value), Self::Edited(before)) if Arc::ptr_eq(value, before) => true,
            (Self::Stored(data), Self::Stored(before)) if std::ptr::eq(data.as_str(), before.as_str()) => true,
            _ => text(self.raw(name)) == text(before.raw(name)),
        }
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        match self {
            Self::Nothing => None,
            Self::Edited(value) => Some(value),
            Self::Stored(data) => data.raw(name),
        }
    }

    fn to_raw(&self, name: &str) -> Option<Arc<RawValue>> {
        match self {
            Self::Nothing => None,
            Self::Edited(value) => Some(value.clone()),
            Self::Stored(data) => Some(data.raw(name)?.to_owned().into()),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.raw(name).map(read).transpose()
    }
}

pub(crate) fn text(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get)
}

/// The parser's own message quotes the value (S19), so the error names the type instead.
pub(crate) fn read<T: DeserializeOwned>(value: &RawValue) -> Result<T, Error> {
    serde_json::from_str(value.get()).map_err(|_| Error::UnreadableValue { expected: std::any::type_name::<T>() })
}

pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Arc<RawValue>, Error> {
    match serde_json::value::to_raw_value(value) {
        Ok(value) => Ok(value.into()),
        Err(_) => Err(Error::UnwritableValue { given: std::any::type_name::<T>() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        Draft::new(Data::parse(text).expect("the test's text is an object"))
    }

    fn put(draft: &mut Draft, name: &str, value: Option<u8>) {
        draft.put(&name.into(), value.map(|value| write(&value).expect("a number is JSON")));
    }

    #[test]
    fn edits_are_seen_and_others_keep_their_text() {
        let mut draft = draft(r#"{"a":1, "b":1.10}"#);
        put(&mut draft, "a", Some(2));
        put(&mut draft, "c", Some(3));
        assert_eq!(draft.to_data().as_str(), r#"{"a":2,"b":1.10,"c":3}"#);
        assert_eq!(draft.keys(), ["a", "b", "c"]);
        put(&mut draft, "b", None);
        assert!(draft.find("b").raw("b").is_none());
        assert_eq!(draft.keys(), ["a", "c"]);
    }

    #[test]
    fn what_ends_as_it_began_is_not_a_change() {
        let mut draft = draft(r#"{"a": 1}"#);
        put(&mut draft, "a", Some(1));
        put(&mut draft, "absent", None);
        assert!(draft.changed().is_none());
        put(&mut draft, "a", Some(2));
        assert!(draft.changed().is_some());
        put(&mut draft, "a", Some(1));
        assert!(draft.changed().is_none());
    }

    #[test]
    fn a_cleared_draft_is_empty_until_something_is_set() {
        let mut draft = draft(r#"{"a":1}"#);
        draft.clear();
        assert!(draft.is_empty() && draft.changed().is_some() && draft.find("a").raw("a").is_none());
        put(&mut draft, "b", Some(1));
        assert_eq!(draft.to_data().as_str(), r#"{"b":1}"#);
    }
}
