//! One JSON object that stays text until somebody looks inside.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::entries::Entries;
use crate::names::is_named;

/// What the application remembers: one JSON object, kept as the text that was written.
///
/// Loading builds no tree. [`get`](Data::get) reads the one value that is asked for; [`with_changes`](Data::with_changes)
/// copies every value that does not change byte for byte, so numbers keep their digits, and what other languages
/// write and Rust cannot hold (`1e400`, a lone surrogate `"\ud800"`) survives (`DATA-01`). Of a key that
/// is there twice the last one counts, as in JavaScript. Cloning shares the text. `Debug` shows only its size.
///
/// ```
/// use session_core::Data;
///
/// let data = Data::parse(r#"{"user":"ada","views":7,"price":1.10}"#)?;
/// assert_eq!(data.get::<u32>("views")?, Some(7));
/// assert_eq!(data.get::<u32>("absent")?, None);
/// let eight = serde_json::value::to_raw_value(&8)?;
/// let data = data.with_changes(&[("views", Some(&*eight)), ("user", None)]);
/// assert_eq!(data.as_str(), r#"{"views":8,"price":1.10}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Data(pub(crate) Arc<str>);

/// The refusal of text that is not one JSON object.
///
/// It says where the text is wrong and not how: the parser's own words may quote the data, which belongs in no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session data is not a json object, at line {line}, column {column}")]
pub struct InvalidData {
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for InvalidData {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

/// A stored value does not have the type that was asked for. It holds nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session value is not a {wanted}, at line {line}, column {column} of its text")]
pub struct UnreadableValue {
    wanted: &'static str,
    line: usize,
    column: usize,
}

impl Data {
    /// Returns the empty object, `{}`.
    pub fn empty() -> Self {
        static EMPTY: LazyLock<Data> = LazyLock::new(|| Data("{}".into()));
        EMPTY.clone()
    }

    /// Takes a text that is one JSON object, and keeps it as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidData`] if the text is not JSON, is another value than an object, or goes on behind it.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, InvalidData> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// Takes a text that was data when it was written, and that something vouches for since: a checksum that came with it, or a cipher.
    /// It is not checked again; what others may have written is for [`parse`](Data::parse).
    ///
    /// If it is no object after all, nothing panics: a look at it finds any value or none, and what is written stays as wrong as it was.
    ///
    /// ```
    /// use session_core::Data;
    ///
    /// let text = r#"{"user":"ada"}"#;
    /// assert_eq!(Data::trust(text), Data::parse(text)?);
    /// assert_eq!(Data::trust("no object").get::<String>("user"), Ok(None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trust(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Writes a struct or a map as JSON.
    ///
    /// # Errors
    ///
    /// [`InvalidData`] if what is written is not an object, or cannot be written: a map whose keys are no text, or a
    /// type whose own `Serialize` fails.
    pub fn from_object<T: Serialize + ?Sized>(object: &T) -> Result<Self, InvalidData> {
        Self::parse(serde_json::to_string(object)?)
    }

    /// Returns the text, exactly as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the object has no keys.
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// Reads one value, or `None` if the key is absent. A value of another type is an error, never a default.
    ///
    /// # Errors
    ///
    /// [`UnreadableValue`] if there is a value and it is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, UnreadableValue> {
        let value = self.find(key).map(serde_json::from_str).transpose();
        value.map_err(|error| UnreadableValue {
            wanted: std::any::type_name::<T>(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// Returns the text of one value, or `None` if the key is absent.
    pub fn raw(&self, key: &str) -> Option<&RawValue> {
        // What is between two commas of JSON is JSON; serde_json has no reason to refuse it.
        serde_json::from_str(self.find(key)?).ok()
    }

    fn find(&self, key: &str) -> Option<&str> {
        self.entries().filter(|(name, _)| is_named(name, key)).last().map(|(_, value)| value)
    }

    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries::of(&self.0)
    }
}

/// Checks that a text is one JSON object, all of it, without building anything.
fn check(text: &str) -> serde_json::Result<()> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
            // As text: names and values that Rust cannot hold are accepted.
            while map.next_entry::<&RawValue, &RawValue>()?.is_some() {}
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object)?;
    json.end()
}

impl Default for Data {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        Data::parse(text).expect("the test's text is an object")
    }

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("the test's text is JSON")
    }

    #[test]
    fn text_that_is_not_one_object_is_refused() {
        for bad in
            ["", "null", "[]", "1", "{", "{}x", "{} {}", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":{"b":1}"#, "{a:1}", "{]}"]
        {
            assert!(Data::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_rust_cannot_hold_survives_beside_what_changes() {
        let hard = r#"{"big":1e400,"lone":"\ud800","\ud800":1,"digits":1.100,"i":18446744073709551616,"n":1}"#;
        let changed = data(hard).with_changes(&[("n", Some(raw("2")))]);
        assert_eq!(changed.as_str(), hard.replace(r#""n":1"#, r#""n":2"#));
        assert!(data(hard).get::<String>("lone").is_err());
        assert_eq!(data(hard).keys(), ["big", "lone", "digits", "i", "n"]);
    }

    #[test]
    fn errors_say_where_and_quote_nothing() {
        let not_a_number = data(r#"{"n":"a secret"}"#).get::<u32>("n").expect_err("a text is not a number");
        let not_an_object = Data::parse(r#""a secret""#).expect_err("a text is not an object");
        for words in [not_a_number.to_string(), format!("{not_a_number:?}"), not_an_object.to_string()] {
            assert!(!words.contains("secret"), "{words}");
        }
        assert!(not_a_number.to_string().contains("is not a u32"), "{not_a_number}");
    }

    #[test]
    fn deep_nesting_is_kept_without_recursion() {
        let deep = format!(r#"{{"d":{}{},"n":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(data(&deep).get::<u8>("n").ok().flatten(), Some(1));
        assert!(data(&deep).get::<serde_json::Value>("d").is_err());
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts_and_one_is_written() {
        let twice = data(r#"{"a":1,"b":0,"\u0061":2}"#);
        assert_eq!(twice.get::<u8>("a").ok().flatten(), Some(2));
        assert_eq!(twice.keys(), ["a", "b"]);
        assert_eq!(twice.with_changes(&[("a", Some(raw("3")))]).as_str(), r#"{"a":3,"b":0}"#);
        assert_eq!(twice.with_changes(&[("a", None)]).as_str(), r#"{"b":0}"#);
    }

    #[test]
    fn a_change_that_is_said_twice_counts_once() {
        let changes = [("a", Some(raw("1"))), ("a", None), ("b", None), ("b", Some(raw("2")))];
        assert_eq!(Data::empty().with_changes(&changes).as_str(), r#"{"b":2}"#);
        assert_eq!(data(r#"{"a":0,"b":0}"#).with_changes(&changes).as_str(), r#"{"b":2}"#);
    }

    #[test]
    fn keys_are_escaped_as_json_wants_it() {
        let odd = "a\"b\\c\u{0}\u{1F600}";
        let changed = Data::empty().with_changes(&[(odd, Some(raw("1")))]);
        assert_eq!(changed.get::<u8>(odd).ok().flatten(), Some(1));
        assert_eq!(changed.keys(), [odd]);
        assert!(changed.with_changes(&[(odd, None)]).is_empty());
    }

    #[test]
    fn a_key_is_not_the_text_that_stands_for_another() {
        let names = data(r#"{"\n":1,"\\n":2,"n":3,"\u006e\u006e":4}"#);
        for (key, value) in [("\n", 1), ("\\n", 2), ("n", 3), ("nn", 4)] {
            assert_eq!(names.get::<u8>(key).ok().flatten(), Some(value), "{key}");
        }
        for key in ["", "\\\\n", "nnn", "\\u006e\\u006e"] {
            assert_eq!(names.raw(key).map(RawValue::get), None, "{key}");
        }
    }

    #[test]
    fn what_changes_nothing_is_told_from_what_does() {
        let twice = data(r#"{"a": 1,"a":2,"b":1.0}"#);
        for (changes, outcome) in [
            (vec![], None),
            (vec![("b", Some(raw("1.0"))), ("c", None)], None),
            (vec![("c", Some(raw("3"))), ("c", None)], None),
            (vec![("b", Some(raw("1")))], Some(r#"{"a":1,"a":2,"b":1}"#)),
            (vec![("b", None)], Some(r#"{"a":1,"a":2}"#)),
            (vec![("c", Some(raw("3")))], Some(r#"{"a":1,"a":2,"b":1.0,"c":3}"#)),
            (vec![("a", Some(raw("2")))], Some(r#"{"a":2,"b":1.0}"#)),
        ] {
            let changed = twice.changed_by(&changes);
            assert_eq!(changed.as_ref().map(Data::as_str), outcome, "{changes:?}");
            assert_eq!(twice.with_changes(&changes), changed.unwrap_or_else(|| twice.clone()));
        }
    }

    #[test]
    fn what_was_trusted_and_is_no_object_makes_nothing_panic() {
        for text in
            ["", "{", "]", "{\"a", "{\"a\":", "{\"a\":x}", "{\"a\\", "{\"é\":[}}]]", "{\"a\":1]", "{\"\":tru,\"a\":{"]
        {
            let data = Data::trust(text);
            assert!(data.raw("a").is_none_or(|value| value.get() == "1"), "{text}");
            let changed = data.with_changes(&[("a", Some(raw("2")))]);
            assert_eq!(changed.get::<u8>("a").ok().flatten(), Some(2), "{text}");
            assert_eq!(data.keys().is_empty(), data.is_empty(), "{text}");
        }
    }

    #[test]
    fn white_space_is_kept_until_something_changes() {
        let spaced = data(" { \"a\" : 1 , \"b\" : [ 1, 2 ] } ");
        assert_eq!(spaced.with_changes(&[]).as_str(), spaced.as_str());
        assert_eq!(spaced.with_changes(&[("a", None)]).as_str(), r#"{"b":[ 1, 2 ]}"#);
        assert!(data(" { } ").is_empty());
    }
}
