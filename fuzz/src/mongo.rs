//! A document as MongoDB keeps it.

use bson::{Bson, Document};
use session_core::{SessionKey, Timestamp};

use crate::document::{Stored, fresh};
use crate::may_be_answered;

/// BSON as it is, or the JSON that stands for it: what can be read is what would be written.
pub fn mongo(input: &[u8]) {
    let from_json = || {
        let value: serde_json::Value = serde_json::from_slice(input).ok()?;
        let Ok(Bson::Document(document)) = Bson::try_from(value) else { return None };
        bson::to_vec(&document).ok()
    };
    let bytes = if input.first() == Some(&b'{') { from_json() } else { Some(input.to_vec()) };
    let Some(bytes) = bytes else { return };
    let Ok(stored) = bson::from_slice::<Stored>(&bytes) else { return };
    let _ = (stored.has_expired(Timestamp::MIN), stored.place(), stored.revision().is_ok());
    may_be_answered(&stored.info());
    let answer = stored.record();
    may_be_answered(&answer);
    if let Ok((record, revision)) = answer {
        let document: Document = fresh(&SessionKey::parse("k").expect("a key"), revision, &record);
        let again: Stored =
            bson::from_slice(&bson::to_vec(&document).expect("it is written")).expect("it is a document");
        assert_eq!(again.record().ok(), Some((record, revision)));
    }
}
