//! One stored session, packed: a process may keep a million of them.

use session_core::{Data, OwnerId, Record, Revision, SessionInfo, Timestamp};

use crate::key::StoredKey;

/// A record under its key.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: StoredKey,
    data: Data,
    pub(crate) owner: Option<OwnerId>,
    created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// [`NO_DEADLINE`](Node::NO_DEADLINE) or milliseconds: half the size of an `Option`.
    deadline: i64,
    pub(crate) revision: Revision,
}

impl Node {
    const NO_DEADLINE: i64 = -1;

    /// Makes the first node of a session.
    pub(crate) fn new(key: StoredKey, record: &Record) -> Self {
        Self {
            key,
            data: record.data.clone(),
            owner: record.owner.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            deadline: record.deadline.map_or(Self::NO_DEADLINE, Timestamp::unix_millis),
            revision: Revision::fresh(),
        }
    }

    /// Makes the node that takes this one's place under another key.
    ///
    /// It keeps the beginning and the deadline, whatever the record says (`ROTATE-05`).
    pub(crate) fn successor(&self, key: StoredKey, record: &Record) -> Self {
        Self { created_at: self.created_at, deadline: self.deadline, ..Self::new(key, record) }
    }

    /// Takes the data, the owner and the expiry of a record, and returns the old data and the old owner.
    ///
    /// The beginning and the deadline stay, whatever the record says (`UPDATE-06`).
    pub(crate) fn update(&mut self, record: &Record) -> (Data, Option<OwnerId>) {
        self.expires_at = record.expires_at;
        self.revision = Revision::fresh();
        let data = std::mem::replace(&mut self.data, record.data.clone());
        (data, std::mem::replace(&mut self.owner, record.owner.clone()))
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    pub(crate) fn record(&self) -> Record {
        let mut record = Record::new(self.data.clone(), self.created_at, self.expires_at);
        record.deadline = self.deadline();
        record.owner = self.owner.clone();
        record
    }

    pub(crate) fn info(&self) -> Option<SessionInfo> {
        let key = self.key.unpack()?;
        Some(SessionInfo::new(key, self.created_at, self.expires_at, self.deadline(), self.owner.clone()))
    }

    fn deadline(&self) -> Option<Timestamp> {
        // Whatever is not the mark was a timestamp.
        Timestamp::from_unix_millis(self.deadline).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_no_more_than_104_bytes() {
        assert!(size_of::<Node>() <= 104, "{}", size_of::<Node>());
    }
}
