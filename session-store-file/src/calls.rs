//! The calls that touch one record, and the two things that each of them does with it: look at it, and replace it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::{Data, Error, Record, Result, Revision, SessionKey, StoreOptions, Timestamp};

use crate::Durability;
use crate::files::{self, Access, Found, from_io, from_read};
use crate::hints::Hints;
use crate::layout::{Layout, RecordName};
use crate::locks::{LockName, Threads};
use crate::record::{self, Damage, End, Head};
use crate::setup::Known;

/// The longest file that is read in one go: twice the default limit, since a rotation may have left two records.
const READ_AT_ONCE: u64 = 2 * 1024 * 1024 + 2 * 1024;
/// How much of a file is read to see its head: all of most records, for a page costs no more than a part of it.
const GLANCE: u64 = 4096;
/// How long a call waits for a lock, by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A store on the disk: blocking calls, each of which decides and writes under the locks that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) layout: Layout,
    pub(crate) options: StoreOptions,
    pub(crate) durability: Durability,
    pub(crate) timeout: Duration,
    pub(crate) threads: Arc<Threads>,
    /// The locks for which the present call has stood in line.
    pub(crate) turns: Vec<LockName>,
    /// The folders that were found to be the store's.
    pub(crate) known: Arc<Mutex<Known>>,
    /// Where the sweep's look at a few records goes on: after this one.
    pub(crate) audited: Arc<Mutex<Option<RecordName>>>,
    /// Folders of index entries that this process has synced, and those above them.
    pub(crate) synced: Arc<Mutex<HashSet<PathBuf>>>,
}

/// A record as it is stored: its open file, what it says, and where in the file it begins.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) file: File,
    pub(crate) head: Head,
    pub(crate) start: u64,
    /// What was read of the record to see its head.
    pub(crate) beginning: Vec<u8>,
    pub(crate) name: RecordName,
}

impl Disk {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            layout: Layout::new(root),
            options: StoreOptions::default(),
            durability: Durability::default(),
            timeout: TIMEOUT,
            threads: Arc::default(),
            turns: Vec::new(),
            known: Arc::default(),
            audited: Arc::default(),
            synced: Arc::default(),
        }
    }

    pub(crate) fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let name = RecordName::of(key);
        let _owner = self.enter_owner(record.owner.as_ref())?;
        let _shard = self.lock_shard(name.shard())?;
        let expired = self.look_vacant(&name)?;
        self.write(key, record, Hints::new(name, record.expires_at, record.owner.as_ref()), expired, None)
    }

    /// Reads without a lock: a file under a record's name is always whole, and only its ends change.
    pub(crate) fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let name = RecordName::of(key);
        // Before the file is read: what is renewed after that may look expired, and was live when the call began.
        let now = self.options.now();
        self.check_place(name.shard())?;
        let bytes = match files::find(&self.layout.record(&name), Access::Read).map_err(from_io)? {
            Found::File(mut file, length) if length <= READ_AT_ONCE => {
                files::read(&mut file, length).map_err(from_read)?
            }
            Found::File(..) => return self.load_locked(&name),
            // A `clear` may have put another folder there since it was looked at.
            Found::Nothing => return if self.check_place(name.shard())? { Ok(None) } else { self.load_locked(&name) },
            found => return look_into(found, &name).map(|_| None),
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
        let record = files::read_at(&mut stored.file, stored.start, length).map_err(from_read)?;
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
            let claimed = Hints::of(name, &stored.head);
            // An entry may be early: the sweep looks, finds the record live and moves the entry.
            let sweep_at = claimed.sweep_at.min(record.expires_at);
            let record = as_born(record, &stored.head);
            let entries = Hints::new(name, sweep_at, record.owner.as_ref());
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
                self.remove_all_hints_of(&name)?;
                Ok(true)
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
        entries: Hints,
        replaced: Option<Hints>,
        live: Option<&Head>,
    ) -> Result<Revision> {
        let revision = Revision::fresh();
        let text = record::write(key, record, revision, entries.sweep_at);
        let folders = if replaced == Some(entries) { Vec::new() } else { self.add_hints(&entries)? };
        // If this fails, the new entries stay until they are due: after a failed sync the record may be there or not.
        self.replace(&entries.name, &text, &folders, live)?;
        if let Some(replaced) = replaced {
            self.remove_hints(&replaced, Some(&entries));
        }
        Ok(revision)
    }

    /// Looks at the head of a record, live or not.
    pub(crate) fn look(&self, name: &RecordName, access: Access) -> Result<Option<Stored>> {
        let path = self.layout.record(name);
        match files::find(&path, access).map_err(from_io)? {
            // Tells a record that is not there from a store that is not there, which is no absence (`OUTAGE-01`).
            Found::Nothing => self.check_place(name.shard()).map(|_| None),
            found => look_into(found, name).map(Some),
        }
    }

    /// Looks at a record whose key must be free: what cannot be read takes it, as a live one does.
    pub(crate) fn look_vacant(&self, name: &RecordName) -> Result<Option<Hints>> {
        match self.look(name, Access::Read) {
            Err(Error::Corrupt(_)) => Err(Error::AlreadyExists),
            Ok(Some(stored)) if stored.head.is_live(self.options.now()) => Err(Error::AlreadyExists),
            outcome => Ok(outcome?.map(|stored| Hints::of(*name, &stored.head))),
        }
    }

    /// Looks at the head of a live record.
    pub(crate) fn look_live(&self, key: &SessionKey, access: Access) -> Result<Stored> {
        let stored = self.look(&RecordName::of(key), access)?.ok_or(Error::NotFound)?;
        self.check_live(&stored.head)?;
        Ok(stored)
    }

    /// Refuses a record that is over.
    ///
    /// Asked again right before a rename, for the syncs before it take milliseconds: a reader, who takes no lock, may have
    /// seen the session expired meanwhile, and then it stays so.
    pub(crate) fn check_live(&self, head: &Head) -> Result<()> {
        if head.is_live(self.options.now()) { Ok(()) } else { Err(Error::NotFound) }
    }

    /// Writes a record beside its place, and to the disk.
    pub(crate) fn stage(&self, shard: u8, record: &[u8]) -> io::Result<()> {
        let path = self.layout.staged(shard);
        let write = || {
            let mut file = files::create_anew(&path)?;
            file.write_all(record)?;
            self.sync(&file)
        };
        // On a full disk the beginning of a record would only be in the way; if it cannot be removed, the next does it.
        write().inspect_err(|_| drop(files::remove(&path)))
    }

    /// Puts a record in its place, whatever is there, in one step, once the folders of its entries are on the disk; not
    /// if `live` is over by then.
    pub(crate) fn replace(
        &self,
        name: &RecordName,
        record: &[u8],
        folders: &[PathBuf],
        live: Option<&Head>,
    ) -> Result<()> {
        self.stage(name.shard(), record).map_err(from_io)?;
        let staged = self.layout.staged(name.shard());
        let synced = self.sync_folders(folders).map_err(from_io);
        let ready = synced.and_then(|()| live.map_or(Ok(()), |head| self.check_live(head)));
        ready.inspect_err(|_| drop(files::remove(&staged)))?;
        fs::rename(staged, self.layout.record(name)).map_err(from_io)?;
        self.sync_shard(name.shard()).map_err(from_io)
    }

    /// Overwrites the end of a record in place, in the line that does not count.
    pub(crate) fn write_end(&self, stored: &mut Stored, end: End) -> io::Result<()> {
        let offset = u64::try_from(stored.head.spare_end_offset()).unwrap_or_default();
        files::write_at(&mut stored.file, stored.start + offset, end.to_line().as_bytes())
    }

    /// Removes a record, and then what its head says that it has of index entries.
    pub(crate) fn remove(&self, stored: &Stored) -> Result<()> {
        files::remove(&self.layout.record(&stored.name)).map_err(from_io)?;
        self.sync_shard(stored.name.shard()).map_err(from_io)?;
        self.remove_hints(&Hints::of(stored.name, &stored.head), None);
        Ok(())
    }

    /// Writes a file to the disk, if the store is told to.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        if self.durability == Durability::Full { file.sync_data() } else { Ok(()) }
    }

    /// Writes the names in a shard to the disk, if the store is told to.
    pub(crate) fn sync_shard(&self, shard: u8) -> io::Result<()> {
        if self.durability == Durability::Full { files::sync_folder(&self.layout.shard(shard)) } else { Ok(()) }
    }
}

/// Looks at the head of what was found under a record's name.
pub(crate) fn look_into(found: Found, name: &RecordName) -> Result<Stored> {
    let (mut file, length) = match found {
        Found::File(file, length) => (file, length),
        Found::Unreadable(error) => return Err(Error::corrupt(error)),
        Found::Foreign | Found::Nothing => return Err(Damage::NotAFile.into()),
    };
    let mut start = 0;
    let (mut head, mut beginning) = read_head(&mut file, start, length)?;
    if RecordName::of(&head.key) != *name {
        // A rotation appended the record and moved the file; see there.
        start = u64::try_from(head.record_length()).unwrap_or(u64::MAX);
        if start >= length {
            return Err(Damage::Key.into());
        }
        (head, beginning) = read_head(&mut file, start, length)?;
        if RecordName::of(&head.key) != *name {
            return Err(Damage::Key.into());
        }
    }
    let end = start.saturating_add(u64::try_from(head.record_length()).unwrap_or(u64::MAX));
    if length < end {
        return Err(Damage::Truncated.into());
    }
    Ok(Stored { file, head, start, beginning, name: *name })
}

/// Reads the head of a record; the first one of a file of this length that was just opened.
fn read_head(file: &mut File, start: u64, length: u64) -> Result<(Head, Vec<u8>)> {
    let length = GLANCE.min(length - start);
    let bytes = if start == 0 { files::read(file, length) } else { files::read_at(file, start, length) };
    let bytes = bytes.map_err(from_read)?;
    Ok((Head::parse(&bytes)?, bytes))
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
