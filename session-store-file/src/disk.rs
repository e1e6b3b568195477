//! One store on the disk, and the two things that every call does with a record: look at it, and replace it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use session_core::{Error, Result, SessionKey, StoreOptions};

use crate::durability::Durability;
use crate::end::End;
use crate::entries::Entries;
use crate::error::{Damage, from_io};
use crate::files::{self, Access, Found};
use crate::format::Head;
use crate::layout::Layout;
use crate::name::RecordName;

/// How much of a file is read to see its head: all of most records, for a page costs no more than a part of it.
const GLANCE: u64 = 4096;

/// A store on the disk: blocking calls, each of which decides and writes under the locks that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) layout: Layout,
    pub(crate) options: StoreOptions,
    pub(crate) durability: Durability,
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
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            options: StoreOptions::default(),
            durability: Durability::default(),
            audited: Arc::default(),
            synced: Arc::default(),
        }
    }

    /// Looks at the head of a record, live or not.
    pub(crate) fn look(&self, name: &RecordName, access: Access) -> Result<Option<Stored>> {
        let (mut file, length) = match files::find(&self.layout.record(name), access).map_err(from_io)? {
            Found::File(file, length) => (file, length),
            Found::Foreign => return Err(Damage::NotAFile.into()),
            Found::Nothing => return self.check_presence(name).map(|()| None),
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
        Ok(Some(Stored { file, head, start, beginning, name: *name }))
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

    /// Tells a record that is not there from a store that is not there, which is no absence (`OUTAGE-01`).
    pub(crate) fn check_presence(&self, name: &RecordName) -> Result<()> {
        let metadata = fs::symlink_metadata(self.layout.shard(name.shard())).map_err(from_io)?;
        if metadata.is_dir() { Ok(()) } else { Err(Damage::NotAFile.into()) }
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
        self.remove_entries(&Entries::of(stored.name, &stored.head), None);
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

/// Reads the head of a record; the first one of a file of this length that was just opened.
fn read_head(file: &mut File, start: u64, length: u64) -> Result<(Head, Vec<u8>)> {
    let length = GLANCE.min(length - start);
    let bytes = if start == 0 { files::read(file, length) } else { files::read_at(file, start, length) };
    let bytes = bytes.map_err(from_io)?;
    Ok((Head::parse(&bytes)?, bytes))
}
