//! The calls of the store that touch one record.

use session_core::{Data, Error, Record, Result, Revision, SessionKey, Timestamp};

use crate::disk::{Disk, Stored};
use crate::end::End;
use crate::entries::Entries;
use crate::error::{Damage, from_io};
use crate::files::{self, Access, Found};
use crate::format::{self, Head};
use crate::name::RecordName;

/// The longest file that is read in one go: twice the default limit, since a rotation may have left two records.
const READ_AT_ONCE: u64 = 2 * 1024 * 1024 + 2 * 1024;

impl Disk {
    pub(crate) fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let name = RecordName::of(key);
        let _owner = self.enter_owner(record.owner.as_ref())?;
        let _shard = self.lock_shard(name.shard())?;
        let expired = self.look(&name, Access::Read)?;
        if expired.as_ref().is_some_and(|stored| stored.head.is_live(self.options.now())) {
            return Err(Error::AlreadyExists);
        }
        let expired = expired.map(|stored| Entries::of(name, &stored.head));
        self.write(key, record, Entries::new(name, record.expires_at, record.owner.as_ref()), expired, None)
    }

    /// Reads without a lock: a file under a record's name is always whole, and only its ends change.
    pub(crate) fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let name = RecordName::of(key);
        // Before the file is read: what is renewed after that may look expired, and was live when the call began.
        let now = self.options.now();
        let bytes = match files::find(&self.layout.record(&name), Access::Read).map_err(from_io)? {
            Found::File(mut file, length) if length <= READ_AT_ONCE => {
                files::read(&mut file, length).map_err(from_io)?
            }
            Found::File(..) => return self.load_locked(&name),
            Found::Foreign => return Err(Damage::NotAFile.into()),
            Found::Nothing => return self.check_presence(&name).map(|()| None),
        };
        let (head, record) = match find_record(key, &bytes) {
            // Two touches passed this reader, one in each line; or the lines are damaged, and then they still are.
            Err(Damage::End) => return self.load_locked(&name),
            found => found?,
        };
        let data = read_data(&head, record)?;
        Ok(head.is_live(now).then(|| head.into_record(data)))
    }

    /// Reads the head, and then as much as that says: a file of any size that somebody put there fills no memory.
    fn load_locked(&self, name: &RecordName) -> Result<Option<(Record, Revision)>> {
        let _shard = self.lock_shard(name.shard())?;
        let Some(mut stored) = self.look(name, Access::Read)? else { return Ok(None) };
        let data = self.read(&mut stored)?;
        Ok(stored.head.is_live(self.options.now()).then(|| stored.head.into_record(data)))
    }

    fn read(&self, stored: &mut Stored) -> Result<Data> {
        if stored.head.record_length() <= stored.beginning.len() {
            return Ok(read_data(&stored.head, &stored.beginning)?);
        }
        let length = u64::try_from(stored.head.record_length()).unwrap_or(u64::MAX);
        let record = files::read_at(&mut stored.file, stored.start, length).map_err(from_io)?;
        Ok(read_data(&stored.head, &record)?)
    }

    pub(crate) fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let name = RecordName::of(key);
        let mut owner = None;
        loop {
            let shard = self.lock_shard(name.shard())?;
            let stored = self.look_live(key, Access::Read)?;
            if stored.head.revision != expected {
                return Err(Error::Conflict);
            }
            let is_owner_new = record.owner.is_some() && record.owner != stored.head.owner;
            if is_owner_new && owner.is_none() {
                // The owner's lock comes before the shard's; most updates need none.
                drop(shard);
                owner = self.enter_owner(record.owner.as_ref())?;
                continue;
            }
            let claimed = Entries::of(name, &stored.head);
            // An entry may be early: the sweep looks, finds the record live and moves the entry.
            let sweep_at = claimed.sweep_at.min(record.expires_at);
            let record = as_born(record, &stored.head);
            let entries = Entries::new(name, sweep_at, record.owner.as_ref());
            return self.write(key, &record, entries, Some(claimed), Some(&stored.head));
        }
    }

    pub(crate) fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let _shard = self.lock_shard(RecordName::of(key).shard())?;
        let mut stored = self.look_live(key, Access::Write)?;
        let current = stored.head.ends.current;
        if expires_at > current.expires_at {
            self.write_end(&mut stored, End { expires_at, ..current }).map_err(from_io)?;
            self.sync(&stored.file).map_err(from_io)?;
        }
        Ok(())
    }

    pub(crate) fn delete(&self, key: &SessionKey) -> Result<bool> {
        let name = RecordName::of(key);
        let _shard = self.lock_shard(name.shard())?;
        match self.look(&name, Access::Read) {
            Ok(None) => Ok(false),
            Ok(Some(stored)) => {
                let was_live = stored.head.is_live(self.options.now());
                self.remove(&stored)?;
                Ok(was_live)
            }
            Err(Error::Corrupt(_)) => {
                files::remove_any(&self.layout.record(&name)).map_err(from_io)?;
                self.sync_shard(name.shard()).map_err(from_io)?;
                self.remove_all_entries_of(&name)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the index entries, writes the record, and removes the entries that it does not claim any more. If `live` is
    /// given, refuses to write once that is over.
    fn write(
        &self,
        key: &SessionKey,
        record: &Record,
        entries: Entries,
        replaced: Option<Entries>,
        live: Option<&Head>,
    ) -> Result<Revision> {
        let revision = Revision::fresh();
        let text = format::write(key, record, revision, entries.sweep_at);
        let folders = if replaced == Some(entries) { Vec::new() } else { self.add_entries(&entries)? };
        // If this fails, the new entries stay until they are due: after a failed sync the record may be there or not.
        self.replace(&entries.name, &text, &folders, live)?;
        if let Some(replaced) = replaced {
            self.remove_entries(&replaced, Some(&entries));
        }
        Ok(revision)
    }
}

/// Finds the record of a key in a file: the first, or the one that a rotation appended before it moved the file there.
fn find_record<'a>(key: &SessionKey, bytes: &'a [u8]) -> Result<(Head, &'a [u8]), Damage> {
    let head = Head::parse(bytes)?;
    if head.key == *key {
        return Ok((head, bytes));
    }
    let bytes = bytes.get(head.record_length()..).filter(|rest| !rest.is_empty()).ok_or(Damage::Key)?;
    let head = Head::parse(bytes)?;
    if head.key == *key { Ok((head, bytes)) } else { Err(Damage::Key) }
}

fn read_data(head: &Head, record: &[u8]) -> Result<Data, Damage> {
    // Its checksum is right, so it is as it was written.
    head.data(record).map(Data::trust)
}

/// Returns the record with the birth and the deadline of the stored one (`UPDATE-06`, `ROTATE-05`).
pub(crate) fn as_born(record: &Record, stored: &Head) -> Record {
    let mut record = record.clone();
    record.created_at = stored.created_at;
    record.deadline = stored.deadline;
    record
}
