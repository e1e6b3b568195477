//! How data is changed: a new text, in which all that does not change is as it was.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::Data;
use crate::names::{escape, is_named, unescape};

/// Up to so many changes are looked through for each entry, which is quicker than to hash its name, and allocates
/// nothing. How many there are may be the client's choice, so beyond that the work grows with their number and not with
/// its product with that of the entries.
const FEW: usize = 8;

impl Data {
    /// Returns the object with some keys set (`Some`) or removed (`None`); a key that is named twice, as said last.
    ///
    /// A key that is set keeps its place or comes last; all other keys and values are copied byte for byte. If
    /// nothing differs, all of the text is as it was. The time is linear in the size of the text and the changes.
    #[must_use]
    pub fn with_changes(&self, changes: &[(&str, Option<&RawValue>)]) -> Self {
        self.changed_by(changes).unwrap_or_else(|| self.clone())
    }

    /// Returns the object with these changes, as [`with_changes`](Data::with_changes) does, or `None` if they change
    /// nothing: every value that is set has this text already, and no key that is removed is there.
    pub fn changed_by(&self, changes: &[(&str, Option<&RawValue>)]) -> Option<Self> {
        if changes.is_empty() {
            return None;
        }
        let (mut few, mut many) = ([false; FEW], Vec::new());
        let written = if changes.len() <= FEW {
            &mut few[..]
        } else {
            many.resize(changes.len(), false);
            &mut many[..]
        };
        let changes = Changes::new(changes);
        let mut is_changed = false;
        let mut text = String::with_capacity(self.0.len() + 64);
        text.push('{');
        for (name, value) in self.entries() {
            match changes.of(name) {
                None => push_entry(&mut text, name, value),
                Some(change) if !written[change] => {
                    written[change] = true;
                    let new = changes.said[change].1.map(RawValue::get);
                    is_changed |= new != Some(value);
                    if let Some(new) = new {
                        push_entry(&mut text, name, new);
                    }
                }
                // The key was in the text twice and has been written already.
                Some(_) => is_changed = true,
            }
        }
        for (change, (key, value)) in changes.said.iter().enumerate() {
            if let (Some(value), false) = (value, written[change])
                && !changes.is_said_again(change)
            {
                is_changed = true;
                push_entry(&mut text, &escape(key), value.get());
            }
        }
        text.push('}');
        is_changed.then(|| Self(text.into()))
    }
}

/// What is to change, found by name.
struct Changes<'c> {
    said: &'c [(&'c str, Option<&'c RawValue>)],
    /// Where each name is said last, if there are many.
    last: Option<HashMap<&'c str, usize>>,
}

impl<'c> Changes<'c> {
    fn new(said: &'c [(&'c str, Option<&'c RawValue>)]) -> Self {
        // Of a name that comes twice, the later place is kept.
        let places = || said.iter().enumerate().map(|(change, (key, _))| (*key, change)).collect();
        Self { said, last: (said.len() > FEW).then(places) }
    }

    /// Returns which change is about the name of an entry, given with its quotes: the last that names it.
    fn of(&self, name: &str) -> Option<usize> {
        match &self.last {
            None => self.said.iter().rposition(|(key, _)| is_named(name, key)),
            Some(last) => last.get(&*unescape(name)?).copied(),
        }
    }

    fn is_said_again(&self, change: usize) -> bool {
        let key = self.said[change].0;
        match &self.last {
            None => self.said[change + 1..].iter().any(|(later, _)| *later == key),
            Some(last) => last.get(key) != Some(&change),
        }
    }
}

fn push_entry(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    text.push_str(name);
    text.push(':');
    text.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Said<'c> = Vec<(&'c str, Option<&'c RawValue>)>;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("the test's text is JSON")
    }

    fn object(names: impl Iterator<Item = String>) -> Data {
        let entries: Vec<_> = names.map(|name| format!("\"{name}\":1")).collect();
        Data::parse(format!("{{{}}}", entries.join(","))).expect("it is an object")
    }

    /// What is right, said without regard to time: each name goes with the last change that names it.
    fn changed_slowly(data: &Data, changes: &Said<'_>) -> Option<String> {
        let (mut text, mut left, mut is_changed) = (String::from("{"), changes.clone(), false);
        let last = |name: &str| changes.iter().rev().find(|(key, _)| unescape(name).as_deref() == Some(*key));
        for (name, value) in data.entries() {
            let Some((key, new)) = last(name) else {
                push_entry(&mut text, name, value);
                continue;
            };
            let is_first = left.iter().any(|(other, _)| other == key);
            left.retain(|(other, _)| other != key);
            is_changed |= !is_first || new.map(RawValue::get) != Some(value);
            if let (true, Some(new)) = (is_first, new) {
                push_entry(&mut text, name, new.get());
            }
        }
        while !left.is_empty() {
            let (key, _) = left.remove(0);
            // Where it is said last is its place.
            if left.iter().all(|(other, _)| *other != key)
                && let Some((_, Some(new))) = last(&escape(key))
            {
                is_changed = true;
                push_entry(&mut text, &escape(key), new.get());
            }
        }
        text.push('}');
        is_changed.then_some(text)
    }

    #[test]
    fn few_changes_and_many_are_made_by_one_rule() {
        let keys = ["a", "b", "c", "ab", "\n", "\\n", "n", "é", "", "a\"b", "\\", "\u{1F600}", "A", "aa", "x", "y"];
        let names =
            ["\"a\"", "\"\\u0061\"", "\"b\"", "\"\\n\"", "\"\\\\n\"", "\"\\ud800\"", "\"é\"", "\"\\u00e9\"", "\"\""];
        let values = [None, Some(raw("1")), Some(raw("2")), Some(raw("\"1\""))];
        let mut state = 11_u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % most
        };
        for _ in 0..5000 {
            let entries: Vec<_> =
                (0..below(8)).map(|_| format!("{}:{}", names[below(names.len())], 1 + below(2))).collect();
            let data = Data::parse(format!("{{{}}}", entries.join(", "))).expect("it is an object");
            let changes: Said<'_> =
                (0..below(2 * FEW + 2)).map(|_| (keys[below(keys.len())], values[below(values.len())])).collect();
            let changed = data.changed_by(&changes);
            assert_eq!(
                changed.as_ref().map(Data::as_str),
                changed_slowly(&data, &changes).as_deref(),
                "{} {changes:?}",
                data.as_str()
            );
        }
    }

    // Work that grows with the product of names and changes, or with the square of the changes, would take minutes in
    // these.

    #[test]
    fn thirty_thousand_values_are_set_at_once() {
        let (data, names) = (object((0..74_000).map(|n| format!("n{n}"))), (44_000..104_000).step_by(2));
        let names: Vec<_> = names.map(|n| format!("n{n}")).collect();
        let changes: Said<'_> = names.iter().map(|name| (name.as_str(), Some(raw("2")))).collect();
        let changed = data.with_changes(&changes);
        assert_eq!(changed.keys().len(), 74_000 + 15_000);
        assert_eq!(changed.iter().filter(|(_, value)| value.get() == "2").count(), 30_000);
        assert_eq!(changed.changed_by(&changes), None, "they are there already");
        assert_eq!(Data::empty().with_changes(&changes).keys(), names);
    }

    #[test]
    fn seventy_four_thousand_names_are_removed_at_once() {
        let names: Vec<_> = (0..74_000).map(|n| format!("n{n}")).collect();
        let changes: Said<'_> = names.iter().map(|name| (name.as_str(), None)).collect();
        let data = object(names.iter().cloned());
        assert_eq!(data.with_changes(&changes), Data::empty());
        assert_eq!(Data::empty().changed_by(&changes), None);
        assert_eq!(data.with_changes(&changes[..73_999]).keys(), ["n73999"]);
    }

    #[test]
    fn one_name_that_is_said_thirty_thousand_times_counts_as_said_last() {
        let changes: Said<'_> = (0..30_000).map(|n| ("n", (n % 2 == 1).then(|| raw("2")))).collect();
        assert_eq!(Data::empty().with_changes(&changes).as_str(), r#"{"n":2}"#);
        assert_eq!(Data::empty().changed_by(&changes[..29_999]), None);
    }
}
