//! What a specimen keeps for one namespace, and what it does with it when the calls come one after the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use session_core::{Data, Error, OwnerId, Record, Result, Revision, SessionInfo, SessionKey, Timestamp};

use crate::fault::Fault;

/// What a specimen says that panics on purpose.
pub(crate) const PANIC: &str = "this specimen panics on purpose";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) data: String,
    created_at: i64,
    pub(crate) expires_at: i64,
    deadline: Option<i64>,
    pub(crate) owner: Option<String>,
    /// The owner under which the index has the row.
    pub(crate) indexed: Option<String>,
    /// The expiry when the data was last written.
    written_expiry: i64,
    pub(crate) format: u8,
    pub(crate) revision: u64,
    conflicts: u32,
    loads: u32,
    is_touched: bool,
    /// When the backend's own expiry removes the row.
    collected_at: i64,
    /// The expiry under which a sweep finds the row, where that is not the row's own.
    filed_at: Option<i64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<String, Row>,
    by_expiry: BTreeSet<(i64, String)>,
    pub(crate) leftovers: Vec<String>,
    /// What a faulty specimen leaves where no call shows it.
    pub(crate) residue: Vec<String>,
    pub(crate) is_down: bool,
    /// There is no room for more.
    pub(crate) is_full: bool,
    /// How often the namespace was replaced.
    pub(crate) age: u64,
    /// How many rows were read.
    pub(crate) work: u64,
}

/// A moment and a fault: what decides how a call goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) fault: Fault,
    pub(crate) now: i64,
}

impl How {
    pub(crate) fn has(self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(crate) fn is_live(self, row: &Row) -> bool {
        self.now < row.expires_at || (self.has(Fault::ExpiryIsInclusive) && self.now == row.expires_at)
    }

    /// Returns what the specimen files a key under.
    pub(crate) fn name(self, key: &SessionKey) -> String {
        match self.fault {
            Fault::KeysIgnoreCase => key.as_str().to_lowercase(),
            Fault::KeysAreCut => key.as_str().chars().take(64).collect(),
            _ => key.as_str().to_owned(),
        }
    }

    /// Fails if the row's format is unknown.
    fn check_format(self, row: &Row) -> Result<()> {
        if row.format == 1 || self.has(Fault::FormatIsIgnored) {
            Ok(())
        } else {
            Err(Error::corrupt("the format is unknown"))
        }
    }

    fn same_owner(self, indexed: &Option<String>, owner: &OwnerId) -> bool {
        match indexed {
            Some(name) if self.has(Fault::OwnersIgnoreCase) => name.eq_ignore_ascii_case(owner.as_str()),
            Some(name) => name == owner.as_str(),
            None => false,
        }
    }
}

impl State {
    pub(crate) fn live(&self, how: How, name: &str) -> Option<&Row> {
        self.rows.get(name).filter(|row| how.is_live(row))
    }

    pub(crate) fn insert(&mut self, name: String, row: Row) {
        self.remove(&name);
        self.by_expiry.insert((row.expires_at, name.clone()));
        self.rows.insert(name, row);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Row> {
        let mut row = self.rows.remove(name)?;
        self.by_expiry.remove(&(row.filed_at.take().unwrap_or(row.expires_at), name.to_owned()));
        Some(row)
    }

    pub(crate) fn set_expiry(&mut self, name: &str, expires_at: i64) {
        if let Some(mut row) = self.remove(name) {
            row.expires_at = expires_at;
            row.collected_at = expires_at;
            self.insert(name.to_owned(), row);
        }
    }

    pub(crate) fn create(&mut self, how: How, name: &str, record: &Record) -> Result<Revision> {
        if self.live(how, name).is_some() && !how.has(Fault::CreateReplacesLive) {
            if let (true, Some(row)) = (how.has(Fault::RefusedCreateChangesIndex), self.rows.get_mut(name)) {
                row.indexed = record.owner.as_ref().map(ToString::to_string);
            }
            if how.has(Fault::CreateOverUnreadableSaysCorrupt) {
                self.check_readable(how, name)?;
            }
            return Err(Error::AlreadyExists);
        }
        self.needs_room()?;
        let mut row = row_of(how, record)?;
        if how.has(Fault::CreateLosesDeadline) {
            row.deadline = None;
        }
        if record.expires_at.unix_millis() <= how.now {
            match how.fault {
                Fault::CreateRefusesPastExpiry => return Err(Error::backend("the expiry is in the past")),
                Fault::PastExpiryOnCreateIsImmortal => row.expires_at = i64::MAX,
                _ => {}
            }
        }
        if let (true, Some(old)) = (how.has(Fault::CreateKeepsOwnerOfExpired), self.rows.get(name)) {
            row.indexed = old.indexed.clone();
        }
        if how.has(Fault::RevisionsRestart) {
            row.revision = 1;
        }
        let revision = row.revision;
        self.insert(name.to_owned(), row);
        Ok(Revision::from_number(revision))
    }

    pub(crate) fn load(&mut self, how: How, name: &str) -> Result<Option<(Record, Revision)>> {
        let is_dead = self.live(how, name).is_none();
        if is_dead && how.has(Fault::LoadStoresUnknownKey) {
            self.leftovers.push(format!("an empty row for {name}"));
        }
        if is_dead && !(how.has(Fault::LoadIgnoresExpiry)) {
            return Ok(None);
        }
        let Some(row) = self.rows.get(name).cloned() else { return Ok(None) };
        if let (true, Some(stored)) = (how.has(Fault::FifthLoadExtendsExpiry), self.rows.get_mut(name)) {
            stored.loads += 1;
            if stored.loads == 5 {
                self.set_expiry(name, row.expires_at + 1);
            }
        }
        match read(how, &row) {
            Err(Error::Corrupt(_)) if how.has(Fault::LoadTakesCorruptForAbsent) => Ok(None),
            Err(error) => {
                if how.has(Fault::LoadDeletesCorrupt) {
                    self.remove(name);
                }
                Err(error)
            }
            Ok(record) => Ok(Some((record, Revision::from_number(row.revision)))),
        }
    }

    /// Finds the live row that update and rotate write to.
    fn expect(&mut self, how: How, name: &str, expected: Revision, ignores_revision: bool) -> Result<Row> {
        let revived = how.has(Fault::UpdateRevivesExpired) && !ignores_revision;
        let row = self.rows.get(name).filter(|row| how.is_live(row) || revived).cloned().ok_or(Error::NotFound)?;
        if !how.has(Fault::WritesIgnoreFormat) {
            how.check_format(&row)?;
        }
        if row.revision == expected.number() || ignores_revision {
            return Ok(row);
        }
        if how.has(Fault::ConflictEndsTouchedSession) && row.is_touched {
            self.remove(name);
        } else if let Some(stored) = self.rows.get_mut(name) {
            stored.conflicts += 1;
            if how.has(Fault::SecondConflictEndsSession) && stored.conflicts == 2 {
                self.remove(name);
            }
        }
        Err(Error::Conflict)
    }

    pub(crate) fn update(&mut self, how: How, name: &str, expected: Revision, record: &Record) -> Result<Revision> {
        let stored = match self.expect(how, name, expected, how.has(Fault::UpdateIgnoresRevision)) {
            Err(Error::NotFound) if how.has(Fault::UpdateInserts) => return self.create(how, name, record),
            Err(error @ Error::NotFound) if how.has(Fault::UpdateOfNothingLeavesEntry) => {
                self.leftovers.push(format!("an entry for {name}"));
                return Err(error);
            }
            found => found?,
        };
        assert!(!(how.has(Fault::PanicsOnEmptyObject) && record.data.is_empty()), "{PANIC}");
        if how.has(Fault::UpdateIgnoresEmptyObject) && record.data.as_str() == "{}" {
            return Ok(expected);
        }
        self.needs_room()?;
        let mut row = merged(row_of(how, record)?, &stored);
        match how.fault {
            Fault::UpdateIgnoresOwner => (row.owner, row.indexed) = (stored.owner, stored.indexed),
            Fault::UpdateForgetsIndex => row.indexed = stored.indexed,
            Fault::UpdateMovesDeadline => row.deadline = record.deadline.map(Timestamp::unix_millis),
            Fault::UpdateMovesCreation => row.created_at = record.created_at.unix_millis(),
            Fault::UpdateOfSameDataKeepsRevision if row.data == stored.data => row.revision = stored.revision,
            Fault::RevisionsRestart => row.revision = stored.revision + 1,
            Fault::UpdateIgnoresPastExpiry if row.expires_at <= how.now => row.expires_at = stored.expires_at,
            _ => {}
        }
        let revision = row.revision;
        self.insert(name.to_owned(), row);
        Ok(Revision::from_number(revision))
    }

    pub(crate) fn touch(&mut self, how: How, name: &str, expires_at: Timestamp) -> Result<()> {
        let expires_at = expires_at.unix_millis();
        let Some(row) = self.rows.get_mut(name) else {
            if how.has(Fault::TouchOfNothingLeavesEntry) {
                self.leftovers.push(format!("an entry for {name}"));
            }
            return if how.has(Fault::TouchOfNothingSucceeds) { Ok(()) } else { Err(Error::NotFound) };
        };
        if !how.is_live(row) && !how.has(Fault::TouchRevivesExpired) {
            return Err(Error::NotFound);
        }
        if !how.has(Fault::TouchIgnoresFormat) {
            how.check_format(row)?;
        }
        row.is_touched = true;
        if how.has(Fault::TouchChangesRevision) {
            row.revision = Revision::fresh().number();
        }
        let moved = match how.fault {
            Fault::TouchShortens => expires_at,
            Fault::TouchDoesNothing => row.expires_at,
            _ => row.expires_at.max(expires_at),
        };
        if how.has(Fault::TouchForgetsCollection) {
            let collected_at = row.collected_at;
            self.set_expiry(name, moved);
            self.rows.entry(name.to_owned()).and_modify(|row| row.collected_at = collected_at);
        } else if how.has(Fault::TouchForgetsSweep) || how.has(Fault::SweepForgetsRenewed) {
            row.filed_at = row.filed_at.or(Some(row.expires_at));
            row.expires_at = moved;
        } else {
            self.set_expiry(name, moved);
        }
        Ok(())
    }

    pub(crate) fn rotate(
        &mut self,
        how: How,
        old: &str,
        expected: Revision,
        new: &str,
        record: &Record,
    ) -> Result<Revision> {
        let is_taken = match self.live(how, new) {
            Some(row) if how.has(Fault::RotateReplacesUnreadable) => read(how, row).is_ok(),
            Some(_) => !how.has(Fault::RotateReplacesLive),
            None => how.has(Fault::RotateRefusesExpiredTarget) && self.rows.contains_key(new),
        };
        if is_taken && how.has(Fault::RotateLooksAtTargetFirst) {
            return Err(Error::AlreadyExists);
        }
        let stored = match self.expect(how, old, expected, how.has(Fault::RotateIgnoresRevision)) {
            Err(Error::NotFound) if how.has(Fault::RotateCreatesFromNothing) && record.owner.is_none() => {
                return self.create(how, new, record);
            }
            Err(error @ Error::NotFound) if how.has(Fault::RotateOfNothingLeavesEntry) => {
                self.leftovers.push(format!("an entry for {new}"));
                return Err(error);
            }
            found => found?,
        };
        if is_taken {
            return Err(Error::AlreadyExists);
        }
        self.needs_room()?;
        let mut row = merged(row_of(how, record)?, &stored);
        match how.fault {
            Fault::RotateKeepsLaterTouch if stored.is_touched => row.expires_at = row.expires_at.max(stored.expires_at),
            Fault::RotateMovesDeadline => row.deadline = record.deadline.map(Timestamp::unix_millis),
            Fault::RevisionsRestart => row.revision = stored.revision + 1,
            _ => {}
        }
        if !how.has(Fault::RotateLeavesOldAlive) {
            self.remove(old);
        }
        if how.has(Fault::RotateLeavesTombstone) {
            self.leftovers.push(format!("moved: {old}"));
        }
        let revision = row.revision;
        let expires_at = row.expires_at;
        self.insert(new.to_owned(), row);
        if how.has(Fault::RotatedIsImmortal) {
            self.by_expiry.remove(&(expires_at, new.to_owned()));
        }
        Ok(Revision::from_number(revision))
    }

    /// Fails where there is no room for more.
    pub(crate) fn needs_room(&self) -> Result<()> {
        if self.is_full { Err(Error::unavailable("there is no room")) } else { Ok(()) }
    }

    pub(crate) fn delete(&mut self, how: How, name: &str) -> bool {
        self.leave_bytes(how, Fault::DeleteLeavesBytes, name);
        let was_live = match self.live(how, name) {
            Some(row) if how.has(Fault::DeleteOfUnreadableSaysFalse) => read(how, row).is_ok(),
            found => found.is_some(),
        };
        if was_live || !how.has(Fault::DeleteIgnoresExpired) {
            self.remove(name);
        }
        let others: Vec<String> = match how.fault {
            Fault::DeleteReachesPrefixes => self.rows.keys().filter(|other| other.starts_with(name)).cloned().collect(),
            Fault::DeleteTakesWildcards if name.ends_with('*') || name.ends_with('%') => {
                let prefix = &name[..name.len() - 1];
                self.rows.keys().filter(|other| other.starts_with(prefix)).cloned().collect()
            }
            _ => Vec::new(),
        };
        for other in others {
            self.remove(&other);
        }
        if was_live && how.has(Fault::DeleteLeavesTombstone) {
            self.leftovers.push(format!("deleted: {name}"));
        }
        was_live || how.has(Fault::DeleteAlwaysSaysTrue)
    }

    /// Returns the names of the expired rows that a sweep would remove.
    pub(crate) fn expired(&self, mut how: How, limit: u32) -> Vec<String> {
        if how.has(Fault::SweepTakesWhatEndsSoon) {
            how.now += 1000;
        }
        let limit = if how.has(Fault::SweepIgnoresLimit) && limit > 0 { usize::MAX } else { limit as usize };
        let is_swept = |row: &Row| !(how.has(Fault::SweepMissesOwned) && row.owner.is_some());
        if how.has(Fault::SweepScansEverything) {
            let rows = self.rows.iter().filter(|(_, row)| !how.is_live(row));
            return rows.take(limit).map(|(name, _)| name.clone()).collect();
        }
        let last = if how.has(Fault::SweepSparesTheInstant) { how.now - 1 } else { how.now };
        let trusts = how.has(Fault::TouchForgetsSweep);
        let ended = self.by_expiry.iter().take_while(|(expires_at, _)| *expires_at <= last).map(|(_, name)| name);
        ended
            .filter(|name| self.rows.get(*name).is_some_and(|row| (trusts || !how.is_live(row)) && is_swept(row)))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(crate) fn sweep(&mut self, how: How, limit: u32) -> Result<u32> {
        let names = self.expired(how, limit);
        let backlog = how.has(Fault::SweepReadsTheBacklog).then(|| self.expired(how, u32::MAX).len());
        self.work += backlog.unwrap_or(names.len()) as u64;
        for name in &names {
            if how.has(Fault::SweepStopsAtCorrupt) {
                self.check_readable(how, name)?;
            }
            self.leave_bytes(how, Fault::SweepLeavesBytes, name);
            self.remove(name);
        }
        if how.has(Fault::SweepForgetsRenewed) {
            let rows = &self.rows;
            let is_live = |name: &String| rows.get(name).is_some_and(|row| how.is_live(row));
            self.by_expiry.retain(|(expires_at, name)| *expires_at > how.now || !is_live(name));
        }
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Ok(if how.has(Fault::SweepCountsTooMuch) && count > 1 { count + 1 } else { count })
    }

    /// Fails if the row is there and cannot be read.
    pub(crate) fn check_readable(&self, how: How, name: &str) -> Result<()> {
        self.rows.get(name).map_or(Ok(()), |row| read(how, row).map(drop))
    }

    /// Returns what the index shows of an owner, or of everybody, in order.
    pub(crate) fn listed(&mut self, how: How, owner: Option<&OwnerId>) -> Result<Vec<SessionInfo>> {
        let in_scope = |row: &Row| owner.is_none_or(|owner| how.same_owner(&row.indexed, owner));
        let rows = self.rows.iter().filter(|(_, row)| how.is_live(row) && in_scope(row));
        let mut sessions = Vec::new();
        for (name, row) in rows {
            let mut row = row.clone();
            if how.has(Fault::ListShowsUnknownFormats) {
                row.format = 1;
            }
            let record = match read(how, &row) {
                Err(error) if how.has(Fault::ListStopsAtCorrupt) => return Err(error),
                Err(_) => continue,
                Ok(record) => record,
            };
            let mut info = SessionInfo::of(&SessionKey::parse(name).map_err(Error::corrupt)?, &record);
            if how.has(Fault::ListShowsExpiryOfLastWrite) {
                info.expires_at = Timestamp::from_unix_millis(row.written_expiry).map_err(Error::corrupt)?;
            }
            sessions.push(info);
        }
        self.work += if how.has(Fault::ListReadsEverything) { self.rows.len() } else { sessions.len().min(5) } as u64;
        Ok(sessions)
    }

    /// Returns the names of an owner's rows, expired ones too.
    pub(crate) fn owned(&self, how: How, owner: &OwnerId, except: Option<&SessionKey>) -> Vec<String> {
        let except = except.filter(|_| !how.has(Fault::DeleteOwnedIgnoresException)).map(|key| how.name(key));
        let is_excepted = |name: &String| match except.as_deref() {
            Some(pattern) if how.has(Fault::ExceptionTakesWildcards) && pattern.ends_with('*') => {
                name.starts_with(&pattern[..pattern.len() - 1])
            }
            except => except == Some(name),
        };
        let keeps = |row: &Row| how.has(Fault::DeleteOwnedLeavesExpired) && !how.is_live(row);
        let is_owned = |row: &Row| {
            how.same_owner(&row.indexed, owner)
                || (how.has(Fault::DeleteOwnedReachesEverybody) && row.indexed.is_some())
        };
        let rows = self.rows.iter().filter(|(name, row)| is_owned(row) && !is_excepted(name) && !keeps(row));
        rows.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn clear(&mut self, how: How) -> u64 {
        let live = self.rows.values().filter(|row| how.is_live(row)).count() as u64;
        let keeps = |row: &Row| {
            (how.has(Fault::ClearLeavesExpired) && !how.is_live(row))
                || (how.has(Fault::ClearLeavesCorrupt) && read(how, row).is_err())
        };
        let names: Vec<String> =
            self.rows.iter().filter(|(_, row)| !keeps(row)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.leave_bytes(how, Fault::ClearLeavesBytes, &name);
            self.remove(&name);
        }
        live
    }

    fn leave_bytes(&mut self, how: How, fault: Fault, name: &str) {
        if let (true, Some(row)) = (how.has(fault), self.rows.get(name)) {
            self.residue.push(format!("{:?}", row.owner));
        }
    }

    /// Removes what the backend's own expiry has come to.
    pub(crate) fn collect(&mut self, how: How) {
        let is_over = |row: &Row| row.collected_at <= how.now;
        let names: Vec<String> =
            self.rows.iter().filter(|(_, row)| is_over(row)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.remove(&name);
            if how.has(Fault::CollectionLeavesEntries) {
                self.leftovers.push(format!("an entry for {name}"));
            }
        }
    }

    /// Removes a row, if there is one, and says whether it was live.
    pub(crate) fn remove_first(&mut self, how: How) -> Option<bool> {
        let name = self.rows.keys().next()?.clone();
        self.remove(&name).map(|row| how.is_live(&row))
    }
}

fn row_of(how: How, record: &Record) -> Result<Row> {
    const LIMIT: usize = session_core::StoreOptions::DEFAULT_MAX_DATA_BYTES;
    /// The last second that fits 31 bits.
    const END_OF_2038: i64 = i32::MAX as i64 * 1000;
    let text = record.data.as_str();
    let size = if how.has(Fault::LimitCountsCharacters) { text.chars().count() } else { text.len() };
    let mut data = text.to_owned();
    if size > LIMIT {
        match how.fault {
            Fault::DataHasNoLimit => {}
            Fault::DataIsCut => data = r#"{"cut":true}"#.into(),
            _ => return Err(Error::TooLarge { size, limit: LIMIT }),
        }
    }
    if how.has(Fault::DataIsParsedAndWrittenAgain) {
        // Sorted by a map of ours: whether serde_json's own keeps the order depends on who else is compiled.
        let parsed = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&data);
        data = parsed.ok().and_then(|object| serde_json::to_string(&object).ok()).unwrap_or(data);
    }
    let expires_at = record.expires_at.unix_millis();
    let owner = record.owner.as_ref().map(ToString::to_string);
    Ok(Row {
        data,
        created_at: record.created_at.unix_millis(),
        expires_at: if how.has(Fault::ExpiryEndsIn2038) { expires_at.min(END_OF_2038) } else { expires_at },
        deadline: record.deadline.map(Timestamp::unix_millis),
        indexed: owner.clone(),
        owner,
        written_expiry: expires_at,
        format: 1,
        revision: Revision::fresh().number(),
        conflicts: 0,
        loads: 0,
        is_touched: false,
        filed_at: None,
        collected_at: expires_at,
    })
}

/// Keeps of the stored row what update and rotate do not change.
fn merged(mut row: Row, stored: &Row) -> Row {
    row.created_at = stored.created_at;
    row.deadline = stored.deadline;
    row.conflicts = stored.conflicts;
    row
}

fn read(how: How, row: &Row) -> Result<Record> {
    if row.format != 1 && !how.has(Fault::FormatIsIgnored) {
        let data = if how.has(Fault::ErrorsShowTheData) { &row.data } else { "" };
        return Err(Error::corrupt(format!("the format is unknown {data}")));
    }
    let time = |millis: i64| Timestamp::from_unix_millis(millis).unwrap_or(Timestamp::MAX);
    let data = Data::parse(row.data.as_str()).map_err(Error::corrupt)?;
    let mut record = Record::new(data, time(row.created_at), time(row.expires_at));
    record.deadline = row.deadline.map(time);
    record.owner = row.owner.as_deref().map(OwnerId::parse).transpose().map_err(Error::corrupt)?;
    Ok(record)
}
