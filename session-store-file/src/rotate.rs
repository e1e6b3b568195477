//! The rotation: one rename is the instant in which the old key dies and the new one lives.
//!
//! A rename moves a file as it is, but the new record has another key, revision and perhaps data. So the new record is
//! first appended to the old file, where it does not matter: a reader of the old key reads the record that the file
//! begins with, and ignores the rest. Then the file is renamed. Under its new name the first record has the wrong key,
//! so the second one counts. At last the file is replaced by one with the new record alone.
//!
//! ```text
//! records/52/52b8…  [old]
//! records/52/52b8…  [old][new]      appended, synced; whatever part of it a crash leaves is ignored
//!                                   renamed: the one step
//! records/9f/9f03…  [old][new]      a crash leaves this, which reads as the new record
//! records/9f/9f03…  [new]
//! ```

use std::fs;
use std::io;
use std::path::PathBuf;

use session_core::{Error, Record, Result, Revision, SessionKey};

use crate::calls::{Disk, Stored, as_born};
use crate::files::{self, Access, from_io};
use crate::hints::Hints;
use crate::layout::RecordName;
use crate::record;

impl Disk {
    pub(crate) fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let name = RecordName::of(new);
        let _owner = self.enter_owner(record.owner.as_ref())?;
        let (one, other) = (RecordName::of(old).shard(), name.shard());
        let _first = self.lock_shard(one.min(other))?;
        let _second = if one == other { None } else { Some(self.lock_shard(one.max(other))?) };
        let mut stored = self.look_live(old, Access::Write)?;
        if stored.head.revision != expected {
            return Err(Error::Conflict);
        }
        if old == new {
            return Err(Error::AlreadyExists);
        }
        let expired = self.look_vacant(&name)?;
        let record = as_born(record, &stored.head);
        let revision = Revision::fresh();
        let entries = Hints::new(name, record.expires_at, record.owner.as_ref());
        let left = Hints::of(stored.name, &stored.head);
        let text = record::write(new, &record, revision, entries.sweep_at);
        let folders = self.add_hints(&entries)?;
        if stored.start > 0 {
            stored = self.rewrite(stored).map_err(from_io)?;
        }
        self.move_as(stored, &name, &text, &folders).inspect_err(|error| {
            // After any other failure the record may be there, and the entries stay until they are due.
            if matches!(error, Error::NotFound) {
                self.remove_hints(&entries, expired.as_ref());
            }
        })?;
        self.remove_hints(&left, None);
        if let Some(expired) = expired {
            self.remove_hints(&expired, Some(&entries));
        }
        Ok(revision)
    }

    /// Moves a file to another name under which it reads as `record`; refuses with `NotFound` if its session is over.
    fn move_as(&self, mut stored: Stored, name: &RecordName, record: &[u8], folders: &[PathBuf]) -> Result<()> {
        self.stage(name.shard(), record).map_err(from_io)?;
        let length = u64::try_from(stored.head.record_length()).unwrap_or(u64::MAX);
        let mut append = || {
            // A rotation that was cut short may have left something here.
            stored.file.set_len(length)?;
            files::write_at(&mut stored.file, length, record)?;
            self.sync(&stored.file)?;
            self.sync_folders(folders)
        };
        append().map_err(from_io).and_then(|()| self.check_live(&stored.head)).inspect_err(|_| {
            // What is appended is ignored; it is removed to free a full disk.
            let _ = stored.file.set_len(length);
            let _ = files::remove(&self.layout.staged(name.shard()));
        })?;
        drop(stored.file);
        fs::rename(self.layout.record(&stored.name), self.layout.record(name)).map_err(from_io)?;
        self.sync_shard(name.shard()).map_err(from_io)?;
        if stored.name.shard() != name.shard() {
            self.sync_shard(stored.name.shard()).map_err(from_io)?;
        }
        // The rotation has happened. If this fails, the next write of the record leaves the old one behind.
        let _ = fs::rename(self.layout.staged(name.shard()), self.layout.record(name));
        Ok(())
    }

    /// Writes a record that a rotation, cut short, left as the second of its file, as the only one.
    fn rewrite(&self, mut stored: Stored) -> io::Result<Stored> {
        let length = u64::try_from(stored.head.record_length()).unwrap_or(u64::MAX);
        let record = files::read_at(&mut stored.file, stored.start, length)?;
        self.stage(stored.name.shard(), &record)?;
        let path = self.layout.record(&stored.name);
        fs::rename(self.layout.staged(stored.name.shard()), &path)?;
        match files::find(&path, Access::Write)? {
            files::Found::File(file, _) => Ok(Stored { file, start: 0, ..stored }),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
