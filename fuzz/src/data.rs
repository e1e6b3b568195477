//! The data of a session, which clients fill and other programs write: what is found in it, and what a change leaves alone.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use session_core::Data;

use crate::line;

/// The first line is a key, the rest the text of the data. Compared with what serde_json makes of it as a tree.
pub fn data(mut input: &[u8]) {
    let (Ok(key), Ok(text)) = (std::str::from_utf8(line(&mut input)), std::str::from_utf8(input)) else { return };
    let tree: Option<Map<String, Value>> = serde_json::from_str(text).ok();
    let skipped: Option<&RawValue> = serde_json::from_str(text).ok();
    let is_object = skipped.is_some_and(|value| value.get().starts_with('{'));
    assert_eq!(Data::parse(text).is_ok(), is_object, "serde_json says otherwise");
    let nine: &RawValue = serde_json::from_str("9").expect("a number");
    let Ok(data) = Data::parse(text) else {
        // What a checksum vouched for wrongly is looked at all the same.
        let data = Data::trust(text);
        let _ = (data.keys(), data.is_empty(), data.get::<Value>(key), data.raw(key).is_some());
        let _ = (data.with_changes(&[(key, Some(nine))]), data.with_changes(&[(key, None)]));
        return;
    };
    assert_eq!(data.as_str(), text);
    let keys = data.keys();
    let found = data.get::<Value>(key);
    let _ = (data.get::<u32>(key), data.get::<String>(key), data.get::<Vec<Option<f64>>>(key), data.get::<()>(key));
    // A tree holds less than a text: no lone surrogates, no depth, no large numbers. Where there is one, it is the same.
    if let Some(tree) = &tree {
        assert_eq!(keys.len(), tree.len());
        assert!(keys.iter().all(|key| tree.contains_key(key)));
        assert_eq!(data.is_empty(), tree.is_empty());
        assert_eq!(found.ok().flatten().as_ref(), tree.get(key));
    }

    let set = data.with_changes(&[(key, Some(nine))]);
    assert_eq!(set.get::<u8>(key).ok().flatten(), Some(9));
    let removed = data.with_changes(&[(key, None)]);
    assert!(removed.raw(key).is_none());
    for changed in [&set, &removed] {
        assert_eq!(Data::parse(changed.as_str()).as_ref(), Ok(changed), "a change left something that is no object");
        for other in keys.iter().filter(|other| *other != key) {
            assert_eq!(
                changed.raw(other).map(RawValue::get),
                data.raw(other).map(RawValue::get),
                "a change reached further"
            );
        }
    }
    let again = set.with_changes(&[(key, None)]);
    // White space stays where nothing changes, and is gone where something has.
    let entries = |data: &Data| -> Vec<_> {
        data.keys().into_iter().map(|key| (data.raw(&key).map(|value| value.get().to_owned()), key)).collect()
    };
    assert_eq!(entries(&again), entries(&removed));
    assert_eq!(data.changed_by(&[(key, None)]).is_none(), data.raw(key).is_none());
    assert!(set.changed_by(&[(key, Some(nine))]).is_none());
}
