//! The names in the text of the data: which there are, each once, and which text stands for which.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::value::RawValue;

use crate::Data;

/// Up to so many names are compared with each other, which is quicker than to hash them. How many there are is the
/// client's choice in many an application, so beyond that the work grows with their number and not with its square.
const FEW: usize = 32;

impl Data {
    /// Returns the keys in the order of the text, each once. A key that is not valid Unicode is left out.
    ///
    /// The time is linear in the size of the text, however many keys it has.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for (name, _) in self.entries() {
            if keys.len() == FEW {
                // Once more, in the way that suits many.
                return self.distinct().into_iter().map(|(name, _)| name.into_owned()).collect();
            }
            if let Some(name) = unescape(name).filter(|name| !keys.iter().any(|key| key == name)) {
                keys.push(name.into_owned());
            }
        }
        keys
    }

    /// Goes through the entries in the order of the text: each key once, where it first appears, with its last value.
    ///
    /// A key that is not valid Unicode is left out, as in [`keys`](Data::keys). The time for all of them is linear in
    /// the size of the text, where to ask for one value after the other goes through it each time.
    ///
    /// ```
    /// use session_core::Data;
    ///
    /// let data = Data::parse(r#"{"user":"ada","views":7,"user":"bob"}"#)?;
    /// let entries: Vec<_> = data.iter().map(|(name, value)| (name, value.get())).collect();
    /// assert_eq!(entries, [("user".into(), r#""bob""#), ("views".into(), "7")]);
    /// # Ok::<(), session_core::InvalidData>(())
    /// ```
    #[doc(alias = "entries")]
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &RawValue)> {
        // Only a text that was trusted wrongly has values that are no JSON.
        self.distinct().into_iter().filter_map(|(name, value)| Some((name, serde_json::from_str(value).ok()?)))
    }

    /// Says whether there is a key that is not `hidden`, for a layer that keeps values of its own among those of the
    /// application.
    ///
    /// It stops at the first one. A key that is not valid Unicode cannot be shown to `hidden`; no layer made it, so it
    /// counts as one that is not hidden, although [`keys`](Data::keys) leaves it out: what another program stored is
    /// not nothing.
    ///
    /// ```
    /// use session_core::Data;
    ///
    /// let data = Data::parse(r#"{"__csrf":"x"}"#)?;
    /// assert!(!data.has_names_but(|name| name.starts_with("__")));
    /// assert!(data.has_names_but(|name| name == "cart"));
    /// assert!(!Data::empty().has_names_but(|_| false));
    /// # Ok::<(), session_core::InvalidData>(())
    /// ```
    pub fn has_names_but(&self, hidden: impl Fn(&str) -> bool) -> bool {
        self.entries().any(|(name, _)| unescape(name).is_none_or(|name| !hidden(&name)))
    }

    /// Returns the entries with their names, in the order of the text; of a name that is there twice, its first place
    /// and its last value.
    fn distinct(&self) -> Vec<(Cow<'_, str>, &str)> {
        let mut entries: Vec<_> = self.entries().filter_map(|(name, value)| Some((unescape(name)?, value))).collect();
        let repeated = repeated(&entries);
        if repeated.is_empty() {
            return entries;
        }
        for &(place, first) in &repeated {
            entries[first].1 = entries[place].1;
        }
        let mut superfluous = repeated.into_iter().map(|(place, _)| place).peekable();
        let mut place = 0;
        entries.retain(|_| {
            let is_superfluous = superfluous.next_if_eq(&place).is_some();
            place += 1;
            !is_superfluous
        });
        entries
    }
}

/// Returns the place of each entry whose name was there before, in rising order, and the place where it was first.
fn repeated(entries: &[(Cow<'_, str>, &str)]) -> Vec<(usize, usize)> {
    let names = || entries.iter().map(|(name, _)| &**name).enumerate();
    if entries.len() <= FEW {
        let first = |place, name| names().take(place).find(|(_, other)| *other == name);
        return names().filter_map(|(place, name)| Some((place, first(place, name)?.0))).collect();
    }
    let mut firsts = HashMap::with_capacity(entries.len());
    let mut repeated = Vec::new();
    for (place, name) in names() {
        match firsts.entry(name) {
            Entry::Vacant(free) => {
                free.insert(place);
            }
            Entry::Occupied(first) => repeated.push((place, *first.get())),
        }
    }
    repeated
}

/// Says whether the text of a name, with its quotes, stands for this key.
pub(crate) fn is_named(name: &str, key: &str) -> bool {
    // An escape is longer than what it stands for: a name of the key's length is the key as it is, or another.
    match name.len().cmp(&(key.len() + 2)) {
        Ordering::Less => false,
        Ordering::Equal => name.get(1..=key.len()) == Some(key) && !key.contains('\\'),
        Ordering::Greater => unescape(name).is_some_and(|name| name == key),
    }
}

/// Returns the key that the text of a name, with its quotes, stands for; `None` if it is not valid Unicode.
pub(crate) fn unescape(name: &str) -> Option<Cow<'_, str>> {
    if name.contains('\\') {
        serde_json::from_str(name).ok().map(Cow::Owned)
    } else {
        name.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
    }
}

/// Returns the text of a name, with its quotes, that stands for this key.
pub(crate) fn escape(key: &str) -> String {
    // A string is always valid JSON; serde_json has no reason to refuse one.
    serde_json::to_string(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        Data::parse(text).expect("the test's text is an object")
    }

    fn entries(data: &Data) -> Vec<(String, String)> {
        data.iter().map(|(name, value)| (name.into_owned(), value.get().to_owned())).collect()
    }

    /// As many names as fit a session of one MB; each is there twice, once with an escape.
    fn names(count: u32) -> Data {
        let once: Vec<_> = (0..count).map(|number| format!("\"n{number:05}\":1")).collect();
        let again: Vec<_> = (0..count).map(|number| format!("\"\\u006e{number:05}\":{number}")).collect();
        data(&format!("{{{},{}}}", once.join(","), again.join(",")))
    }

    #[test]
    fn each_name_comes_once_at_its_first_place_with_its_last_value_few_or_many() {
        for count in [1, 5, 16, 17, 32, 33, 1000] {
            let data = names(count);
            let expected: Vec<_> = (0..count).map(|number| (format!("n{number:05}"), number.to_string())).collect();
            assert_eq!(entries(&data), expected);
            assert!(data.keys().iter().eq(expected.iter().map(|(name, _)| name)), "{count}");
        }
    }

    #[test]
    fn entries_keep_their_text_and_a_name_that_is_no_unicode_is_left_out() {
        let odd = data(r#"{ "a" : 1.10 , "\ud800": 2, "b\n":[ 1, 2 ],"":null}"#);
        let expected = [("a", "1.10"), ("b\n", "[ 1, 2 ]"), ("", "null")];
        assert_eq!(entries(&odd), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(entries(&Data::empty()), []);
        assert_eq!(entries(&Data::trust(r#"{"a":tru,"b":1}"#)), [("b".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn only_names_that_are_not_hidden_count() {
        let is_hidden = |name: &str| name.starts_with("__");
        for (text, has_more) in [
            ("{}", false),
            (r#"{"__a":1,"\u005f_b":2}"#, false),
            (r#"{"__a":1,"_b":2}"#, true),
            (r#"{"\ud800":1}"#, true),
            (r#"{"__\ud800":1}"#, true),
        ] {
            assert_eq!(data(text).has_names_but(is_hidden), has_more, "{text}");
        }
    }

    #[test]
    fn the_first_name_that_is_not_hidden_ends_the_search() {
        let asked = std::cell::Cell::new(0);
        let is_hidden = |name: &str| {
            asked.set(asked.get() + 1);
            name != "c"
        };
        assert!(data(r#"{"a":1,"b":1,"c":1,"d":1}"#).has_names_but(is_hidden));
        assert_eq!(asked.get(), 3);
    }

    // Work that grows with the square of the names would take minutes here.
    #[test]
    fn seventy_four_thousand_names_are_gone_through_at_once() {
        let data = names(74_000);
        assert_eq!(data.keys().len(), 74_000);
        assert_eq!(data.iter().count(), 74_000);
        assert!(!data.has_names_but(|name| name.starts_with('n')));
    }
}
