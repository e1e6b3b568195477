//! The sweep: goes from one sweep entry that is due to the next, and looks at no other record.
//!
//! An entry's time is never later than its record's expiry. A touch leaves it alone, so that a touch costs one small
//! write; a record that is found live when its entry is due gets an entry for its present expiry. A record is therefore
//! looked at about once per lifetime, however many there are (`SWEEP-04`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use session_core::{Error, Result, Timestamp};

use crate::disk::Disk;
use crate::end::End;
use crate::entries::Entries;
use crate::error::from_io;
use crate::files::{self, Access};
use crate::name::RecordName;

/// How many names are held in memory at a time.
const BATCH: usize = 4096;
/// How many records a sweep looks at to see whether their entries are there.
const AUDIT: usize = 64;
/// In how many shards it looks for them, at most.
const AUDIT_SHARDS: u8 = 16;

/// What became of a sweep entry that was due.
#[derive(Debug, PartialEq, Eq)]
enum Settled {
    /// The record had expired and is gone.
    Removed,
    /// The entry is gone: its record was renewed, or was there no more.
    Dropped,
    /// The record cannot be read and stays stored (`LOAD-03`), and so does the entry.
    Kept,
}

impl Disk {
    pub(crate) fn delete_expired(&self, limit: u32) -> Result<u32> {
        if limit == 0 {
            return Ok(0);
        }
        let now = self.options.now();
        let due = format!("{:015}", now.unix_millis());
        let mut removed = 0;
        for day in self.folders_of_sweep(Some(&due[..7]))? {
            for slot in self.folders_below(&day, Some(&due[..9]))? {
                for part in parts_of(&slot)? {
                    removed += self.sweep_part(&part, now, limit - removed)?;
                    if removed == limit {
                        return Ok(removed);
                    }
                    // Fails while there is something in it.
                    let _ = fs::remove_dir(&part);
                }
                let _ = fs::remove_dir(&slot);
            }
            let _ = fs::remove_dir(&day);
        }
        self.remove_staged()?;
        self.audit()?;
        Ok(removed)
    }

    /// Settles the entries of one folder that are due, until `limit` records are removed.
    fn sweep_part(&self, part: &Path, now: Timestamp, limit: u32) -> Result<u32> {
        let mut removed = 0;
        loop {
            let due = self.sweep_entries(part, BATCH, |entries| entries.sweep_at <= now)?;
            let mut is_moving = false;
            for entries in &due {
                let settled = self.settle(entries)?;
                is_moving |= settled != Settled::Kept;
                removed += u32::from(settled == Settled::Removed);
                if removed == limit {
                    return Ok(removed);
                }
            }
            if due.len() < BATCH || !is_moving {
                return Ok(removed);
            }
        }
    }

    /// Decides about one entry that is due, under the lock of its record, by what the record says now.
    fn settle(&self, due: &Entries) -> Result<Settled> {
        let _shard = self.lock_shard(due.name.shard())?;
        let mut stored = match self.look(&due.name, Access::Write) {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.remove_entries(due, None);
                return Ok(Settled::Dropped);
            }
            Err(Error::Corrupt(_)) => return Ok(Settled::Kept),
            Err(error) => return Err(error),
        };
        let claimed = Entries::of(due.name, &stored.head);
        let now = self.options.now();
        if !stored.head.is_live(now) {
            // Not synced: an expired record that comes back after a loss of power is as expired as before.
            files::remove(&self.layout.record(&due.name)).map_err(from_io)?;
            self.remove_entries(&claimed, None);
            self.remove_entries(due, None);
            return Ok(Settled::Removed);
        }
        let end = stored.head.ends.current;
        let kept = if claimed.sweep_at > now { claimed } else { Entries { sweep_at: end.expires_at, ..claimed } };
        // Not synced: what a loss of power takes of the entries comes back in the same way.
        self.add_entries(&kept)?;
        if kept != claimed {
            self.write_end(&mut stored, End { sweep_at: kept.sweep_at, ..end }).map_err(from_io)?;
            self.remove_entries(&claimed, Some(&kept));
        }
        self.remove_entries(due, Some(&kept));
        Ok(Settled::Dropped)
    }

    /// Removes what killed processes were about to write. Under the lock, so that it is not what a live one writes.
    fn remove_staged(&self) -> Result<()> {
        for shard in 0..=u8::MAX {
            let staged = self.layout.staged(shard);
            if fs::symlink_metadata(&staged).is_ok() {
                let _shard = self.lock_shard(shard)?;
                files::remove_any(&staged).map_err(from_io)?;
            }
        }
        Ok(())
    }

    /// Looks at the next few records, sweep after sweep in a circle, and makes again what they miss of index entries:
    /// only a loss of power can take them, when nothing is synced, and only an administrator otherwise.
    fn audit(&self) -> Result<()> {
        // The name is copied whole, so a panic elsewhere cannot leave half of one behind.
        let position = || self.audited.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let after = *position();
        let first = after.map_or(0, |name| name.shard());
        let last = first.saturating_add(AUDIT_SHARDS - 1);
        let names = self.record_names(first..=last, after.as_ref().map(RecordName::as_str), AUDIT)?;
        for name in &names {
            let is_healthy = match self.look(name, Access::Read) {
                Ok(Some(stored)) => self.has_entries(&Entries::of(*name, &stored.head)),
                Ok(None) | Err(Error::Corrupt(_)) => true,
                Err(error) => return Err(error),
            };
            if !is_healthy {
                let _shard = self.lock_shard(name.shard())?;
                if let Ok(Some(stored)) = self.look(name, Access::Read) {
                    self.add_entries(&Entries::of(*name, &stored.head))?;
                }
            }
        }
        *position() = match names.last() {
            Some(name) if names.len() == AUDIT => Some(*name),
            _ if last == u8::MAX => None,
            _ => Some(RecordName::last_of(last)),
        };
        Ok(())
    }

    /// Returns the upper folders of the sweep entries, up to the one of that name, in the order of time.
    pub(crate) fn folders_of_sweep(&self, up_to: Option<&str>) -> Result<Vec<PathBuf>> {
        fs::symlink_metadata(self.layout.sweep()).map_err(from_io)?;
        self.folders_below(&self.layout.sweep(), up_to)
    }

    /// Returns the folders in a folder whose digits are not later than `up_to`, in the order of time.
    pub(crate) fn folders_below(&self, folder: &Path, up_to: Option<&str>) -> Result<Vec<PathBuf>> {
        let prefix = if folder == self.layout.sweep() { String::new() } else { file_name(folder) };
        let is_due = |name: &str| up_to.is_none_or(|up_to| format!("{prefix}{name}").as_str() <= up_to);
        let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        let mut names = names(folder, usize::MAX, |name| (is_number(name) && is_due(name)).then(|| name.to_owned()))?;
        names.sort_unstable();
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }

    /// Returns up to `limit` sweep entries of a folder that `is_wanted`.
    pub(crate) fn sweep_entries(
        &self,
        part: &Path,
        limit: usize,
        is_wanted: impl Fn(&Entries) -> bool,
    ) -> Result<Vec<Entries>> {
        names(part, limit, |name| Entries::parse(name).filter(&is_wanted))
    }
}

/// Returns the folders of a slot, which are called after a hexadecimal digit.
fn parts_of(slot: &Path) -> Result<Vec<PathBuf>> {
    let is_digit = |name: &str| matches!(name.as_bytes(), [b'0'..=b'9' | b'a'..=b'f']);
    names(slot, usize::MAX, |name| is_digit(name).then(|| slot.join(name)))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the names in a folder and returns up to `limit` that `parse` accepts; none if there is no such folder.
pub(crate) fn names<T>(folder: &Path, limit: usize, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome.map_err(from_io)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(from_io)?;
        if let Some(name) = entry.file_name().to_str().and_then(&parse) {
            names.push(name);
            if names.len() == limit {
                break;
            }
        }
    }
    Ok(names)
}
