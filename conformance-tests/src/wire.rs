//! Calls and answers as lines of JSON, between the suite and its second process.

use serde::{Deserialize, Serialize};
use session_core::{BoxError, Data, Error, OwnerId, Record, Revision, SessionKey, SessionStore, Timestamp};

use crate::check::{Refusal, describe};

/// A call, with the time at which it shall happen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) now: i64,
    pub(crate) call: Call,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    Create { key: String, record: WireRecord },
    Load { key: String },
    Update { key: String, expected: u64, record: WireRecord },
    Touch { key: String, expires_at: i64 },
    Rotate { old: String, expected: u64, new: String, record: WireRecord },
    Delete { key: String },
    DeleteExpired { limit: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Written(u64),
    Loaded(Option<(WireRecord, u64)>),
    Touched,
    Deleted(bool),
    Swept(u32),
    Refused { kind: String, message: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireRecord {
    data: String,
    created_at: i64,
    expires_at: i64,
    deadline: Option<i64>,
    owner: Option<String>,
}

impl From<&Record> for WireRecord {
    fn from(record: &Record) -> Self {
        Self {
            data: record.data.as_str().to_owned(),
            created_at: record.created_at.unix_millis(),
            expires_at: record.expires_at.unix_millis(),
            deadline: record.deadline.map(Timestamp::unix_millis),
            owner: record.owner.as_ref().map(|owner| owner.as_str().to_owned()),
        }
    }
}

impl TryFrom<WireRecord> for Record {
    type Error = BoxError;

    fn try_from(wire: WireRecord) -> Result<Self, BoxError> {
        let created_at = Timestamp::from_unix_millis(wire.created_at)?;
        let mut record =
            Record::new(Data::parse(wire.data)?, created_at, Timestamp::from_unix_millis(wire.expires_at)?);
        record.deadline = wire.deadline.map(Timestamp::from_unix_millis).transpose()?;
        record.owner = wire.owner.as_deref().map(OwnerId::parse).transpose()?;
        Ok(record)
    }
}

impl Call {
    /// Makes the call on a store. The outer error is a line that is not a call.
    pub(crate) async fn answer(self, store: &dyn SessionStore) -> Result<Answer, BoxError> {
        let key = |text: &str| SessionKey::parse(text);
        let answer = match self {
            Self::Create { key: name, record } => {
                store.create(&key(&name)?, &record.try_into()?).await.map(|revision| Answer::Written(revision.number()))
            }
            Self::Load { key: name } => store.load(&key(&name)?).await.map(|loaded| {
                Answer::Loaded(loaded.map(|(record, revision)| (WireRecord::from(&record), revision.number())))
            }),
            Self::Update { key: name, expected, record } => store
                .update(&key(&name)?, Revision::from_number(expected), &record.try_into()?)
                .await
                .map(|revision| Answer::Written(revision.number())),
            Self::Touch { key: name, expires_at } => {
                store.touch(&key(&name)?, Timestamp::from_unix_millis(expires_at)?).await.map(|()| Answer::Touched)
            }
            Self::Rotate { old, expected, new, record } => store
                .rotate(&key(&old)?, Revision::from_number(expected), &key(&new)?, &record.try_into()?)
                .await
                .map(|revision| Answer::Written(revision.number())),
            Self::Delete { key: name } => store.delete(&key(&name)?).await.map(Answer::Deleted),
            Self::DeleteExpired { limit } => store.delete_expired(limit).await.map(Answer::Swept),
        };
        Ok(answer.unwrap_or_else(|error| Answer::Refused {
            kind: format!("{:?}", Refusal::from(&error)),
            message: describe(&error),
        }))
    }
}

/// Makes the error of a refusal that came over the wire.
pub(crate) fn refusal(kind: &str, message: String) -> Error {
    match kind {
        "AlreadyExists" => Error::AlreadyExists,
        "NotFound" => Error::NotFound,
        "Conflict" => Error::Conflict,
        "TooLarge" => Error::TooLarge { size: 0, limit: 0 },
        "Corrupt" => Error::corrupt(message),
        "Unavailable" => Error::unavailable(message),
        _ => Error::backend(message),
    }
}
