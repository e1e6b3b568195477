//! The contract as a small program: what a store must answer when calls come one after the other.

use std::collections::BTreeMap;

use session_core::{OwnerId, Record, SessionKey, Timestamp};

use crate::check::Refusal;

/// The reference: records by key, each with the number of its last write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    records: BTreeMap<SessionKey, (Record, u64)>,
    writes: u64,
}

type Answer<T> = Result<T, Refusal>;

impl Model {
    pub(crate) fn create(&mut self, now: Timestamp, key: &SessionKey, record: &Record) -> Answer<u64> {
        if self.load(now, key).is_some() {
            return Err(Refusal::AlreadyExists);
        }
        Ok(self.write(key, record.clone()))
    }

    pub(crate) fn load(&self, now: Timestamp, key: &SessionKey) -> Option<(&Record, u64)> {
        self.records.get(key).filter(|(record, _)| record.is_live(now)).map(|(record, write)| (record, *write))
    }

    pub(crate) fn update(&mut self, now: Timestamp, key: &SessionKey, expected: u64, record: &Record) -> Answer<u64> {
        let merged = self.expect(now, key, expected, record)?;
        Ok(self.write(key, merged))
    }

    pub(crate) fn touch(&mut self, now: Timestamp, key: &SessionKey, expires_at: Timestamp) -> Answer<()> {
        let (record, _) =
            self.records.get_mut(key).filter(|(record, _)| record.is_live(now)).ok_or(Refusal::NotFound)?;
        record.expires_at = record.expires_at.max(expires_at);
        Ok(())
    }

    pub(crate) fn rotate(
        &mut self,
        now: Timestamp,
        old: &SessionKey,
        expected: u64,
        new: &SessionKey,
        record: &Record,
    ) -> Answer<u64> {
        let merged = self.expect(now, old, expected, record)?;
        if self.load(now, new).is_some() {
            return Err(Refusal::AlreadyExists);
        }
        self.records.remove(old);
        Ok(self.write(new, merged))
    }

    pub(crate) fn delete(&mut self, now: Timestamp, key: &SessionKey) -> bool {
        self.records.remove(key).is_some_and(|(record, _)| record.is_live(now))
    }

    /// Removes every expired record; the model knows no limit.
    pub(crate) fn delete_expired(&mut self, now: Timestamp) -> usize {
        let before = self.records.len();
        self.records.retain(|_, (record, _)| record.is_live(now));
        before - self.records.len()
    }

    pub(crate) fn delete_owned(&mut self, now: Timestamp, owner: &OwnerId) -> usize {
        let ended = self.owned(now, owner).len();
        self.records.retain(|_, (record, _)| record.owner.as_ref() != Some(owner));
        ended
    }

    /// Returns the keys of the owner's live records, in order.
    pub(crate) fn owned(&self, now: Timestamp, owner: &OwnerId) -> Vec<SessionKey> {
        let is_owned = |record: &Record| record.is_live(now) && record.owner.as_ref() == Some(owner);
        self.records.iter().filter(|(_, (record, _))| is_owned(record)).map(|(key, _)| key.clone()).collect()
    }

    /// Moves the expiry of every record into the past.
    pub(crate) fn age(&mut self, by: std::time::Duration) {
        for (record, _) in self.records.values_mut() {
            record.expires_at = record.expires_at.saturating_sub(by);
        }
    }

    /// Checks what update and rotate ask for, and returns the record that they write.
    fn expect(&self, now: Timestamp, key: &SessionKey, expected: u64, record: &Record) -> Answer<Record> {
        let (stored, write) = self.load(now, key).ok_or(Refusal::NotFound)?;
        if write != expected {
            return Err(Refusal::Conflict);
        }
        let mut merged = record.clone();
        merged.created_at = stored.created_at;
        merged.deadline = stored.deadline;
        Ok(merged)
    }

    fn write(&mut self, key: &SessionKey, record: Record) -> u64 {
        self.writes += 1;
        self.records.insert(key.clone(), (record, self.writes));
        self.writes
    }
}
