//! What was loaded, kept within the record itself, and what a request has changed since.

use std::collections::HashMap;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use session_core::{Data, InvalidData, OwnerId, Revision, Timestamp};

/// The values of a record of tower-sessions.
pub(crate) type Values = HashMap<String, Value>;

/// The name under which it stands among the values while a request has them; it is never stored.
const NAME: &str = "__session_loaded";

/// What was stored when a record was loaded.
///
/// A store of tower-sessions is handed a whole record when it is to be saved, and nothing says what it was when it was loaded, of which the
/// request may not even have changed anything. So a record that is loaded takes that along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) revision: Revision,
    pub(crate) expires_at: Timestamp,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) data: Data,
}

impl Loaded {
    /// Reads the stored values, and puts what was loaded beside them.
    pub(crate) fn into_values(self) -> serde_json::Result<Values> {
        let mut values: Values = serde_json::from_str(self.data.as_str())?;
        self.put_into(&mut values);
        Ok(values)
    }

    pub(crate) fn put_into(self, values: &mut Values) {
        let loaded = json!({
            "revision": self.revision.number(),
            "expires_at": self.expires_at.unix_millis(),
            "owner": self.owner.as_ref().map(OwnerId::as_str),
            "data": self.data.as_str(),
        });
        values.insert(NAME.into(), loaded);
    }

    /// Finds it among the values: `None` if the record was not loaded from here, or was cleared since.
    pub(crate) fn of(values: &Values) -> Option<Self> {
        let loaded = values.get(NAME)?;
        let owner = loaded.get("owner")?.as_str();
        Some(Self {
            revision: Revision::from_number(loaded.get("revision")?.as_u64()?),
            expires_at: Timestamp::from_unix_millis(loaded.get("expires_at")?.as_i64()?).ok()?,
            owner: owner.map(OwnerId::parse).transpose().ok()?,
            data: Data::parse(loaded.get("data")?.as_str()?).ok()?,
        })
    }

    /// Returns what differs between the loaded values and these, name by name; `None` says that a name was removed.
    pub(crate) fn changes(&self, values: &Values) -> serde_json::Result<Vec<(String, Option<Box<RawValue>>)>> {
        let before: Values = serde_json::from_str(self.data.as_str())?;
        let mut changes = Vec::new();
        for (name, value) in own(values) {
            if before.get(name) != Some(value) {
                changes.push((name.clone(), Some(to_raw_value(value)?)));
            }
        }
        changes.extend(before.into_keys().filter(|name| !values.contains_key(name)).map(|name| (name, None)));
        // A map has no order, and one change shall look like the same one made again.
        changes.sort_by(|(first, _), (second, _)| first.cmp(second));
        Ok(changes)
    }
}

/// Makes changes to what is stored; what they do not name keeps its bytes.
pub(crate) fn apply(changes: &[(String, Option<Box<RawValue>>)], data: &Data) -> Data {
    let changes: Vec<_> = changes.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    data.with_changes(&changes)
}

/// Writes the application's values down.
pub(crate) fn data(values: &Values) -> Result<Data, InvalidData> {
    Data::from_object(&own(values).collect::<std::collections::BTreeMap<_, _>>())
}

/// Returns the application's values.
pub(crate) fn own(values: &Values) -> impl Iterator<Item = (&String, &Value)> {
    values.iter().filter(|(name, _)| *name != NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(data: &str) -> Loaded {
        Loaded {
            revision: Revision::from_number(7),
            expires_at: Timestamp::MAX,
            owner: None,
            data: Data::parse(data).expect("an object"),
        }
    }

    #[test]
    fn what_was_loaded_comes_back_and_is_not_among_the_applications_values() {
        let mut loaded = loaded(r#"{"b":[],"a":1}"#);
        loaded.owner = Some("ada".parse().expect("an owner"));
        let values = loaded.clone().into_values().expect("values");
        assert_eq!(Loaded::of(&values), Some(loaded));
        assert_eq!(data(&values).expect("an object").as_str(), r#"{"a":1,"b":[]}"#);
    }

    #[test]
    fn changes_are_found_name_by_name_and_leave_the_others_as_they_are() {
        // What is loaded; what the request makes of it; what another has stored meanwhile; what is stored then.
        let table = [
            (r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"a":3}"#, r#"{"a":2,"b":1.10}"#, r#"{"a":3,"b":1.10}"#),
            (r#"{"a":1,"b":1}"#, r#"{"b":1}"#, r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (r#"{"a":1}"#, r#"{"a":1,"c":null}"#, r#"{}"#, r#"{"c":null}"#),
            (r#"{}"#, r#"{}"#, r#"{"x":1E2}"#, r#"{"x":1E2}"#),
        ];
        for (before, after, stored, expected) in table {
            let values: Values = serde_json::from_str(after).expect("values");
            let changes = loaded(before).changes(&values).expect("values");
            assert_eq!(apply(&changes, &Data::parse(stored).expect("an object")).as_str(), expected, "{after}");
        }
    }
}
