//! The index entries of a record: empty files whose names say everything.
//!
//! They are made before the record and removed after it, the sweep entry first and last, so whatever moment a process
//! dies at, a record has its entries. What is left over names everything that is needed to remove it: the
//! sweep finds the entry when it is due, sees that no record claims it, and removes it together with the owner's.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use session_core::{OwnerId, Result, Timestamp};

use crate::disk::Disk;
use crate::durability::Durability;
use crate::end::timestamp;
use crate::error::from_io;
use crate::files;
use crate::format::Head;
use crate::name::{OwnerTag, RecordName};

/// How many folders a process knows to be synced before it begins anew: more than there are of owners.
const MOST_SYNCED: usize = 10_000;

/// The index entries of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) name: RecordName,
    pub(crate) sweep_at: Timestamp,
    pub(crate) owner: Option<OwnerTag>,
}

impl Entries {
    pub(crate) fn new(name: RecordName, sweep_at: Timestamp, owner: Option<&OwnerId>) -> Self {
        Self { name, sweep_at, owner: owner.map(OwnerTag::of) }
    }

    /// Returns the entries that a stored record claims.
    pub(crate) fn of(name: RecordName, head: &Head) -> Self {
        Self::new(name, head.ends.current.sweep_at, head.owner.as_ref())
    }

    /// Returns the file name of the sweep entry: when, which record, whose.
    pub(crate) fn sweep_name(&self) -> String {
        let owner = self.owner.as_ref().map_or("-", OwnerTag::as_str);
        format!("{:015}.{}.{owner}", self.sweep_at.unix_millis(), self.name.as_str())
    }

    /// Reads the file name of a sweep entry; `None` for any other name.
    pub(crate) fn parse(sweep_name: &str) -> Option<Self> {
        let mut parts = sweep_name.splitn(3, '.');
        let (sweep_at, name, owner) = (timestamp(parts.next()?)?, parts.next()?, parts.next()?);
        let owner = if owner == "-" { None } else { Some(OwnerTag::parse(owner)?) };
        Some(Self { name: RecordName::parse(name)?, sweep_at, owner })
    }
}

impl Disk {
    /// Makes the entries of a record that is about to be written, unless they are there, and returns the folders that
    /// must be synced before the record is in its place.
    ///
    /// After the record's own file, that is: the file system then has written most of it together with the file.
    ///
    /// A folder that was there may be one that another process has just made, and not synced yet. So each process syncs a
    /// folder with all above it the first time, and alone after that. That it was removed since, by a sweep or `clear`, and
    /// made again by another process, is not noticed: what a loss of power takes just then, an audit makes again.
    pub(crate) fn add_entries(&self, entries: &Entries) -> Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        // Whoever holds the shard's lock is the only one who gives it names.
        let empty = self.layout.lock(&entries.name.as_str()[..2]);
        let owner_entry = entries.owner.map(|owner| self.layout.owner_entry(&owner, &entries.name));
        for path in iter::once(self.layout.sweep_entry(entries)).chain(owner_entry) {
            let is_folder_new = files::create_entry(&path, &empty, self.layout.root()).map_err(from_io)?;
            if self.durability != Durability::Full {
                continue;
            }
            let is_synced = !is_folder_new && path.parent().is_some_and(|folder| self.synced().contains(folder));
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != self.layout.root());
            changed.extend(folders.take(if is_synced { 1 } else { usize::MAX }).map(Path::to_owned));
        }
        Ok(changed)
    }

    /// Writes the names in folders of entries to the disk, each before the one above it.
    pub(crate) fn sync_folders(&self, folders: &[PathBuf]) -> io::Result<()> {
        folders.iter().try_for_each(|folder| files::sync_folder(folder))?;
        let mut synced = self.synced();
        if synced.len() > MOST_SYNCED {
            synced.clear();
        }
        synced.extend(folders.iter().cloned());
        Ok(())
    }

    fn synced(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        // A path is there or not, so a panic elsewhere cannot leave half of one behind.
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes entries that no record claims any more, except those that `kept` has too.
    ///
    /// What fails here leaves an entry that the sweep removes later, so it does not undo the call that has succeeded.
    pub(crate) fn remove_entries(&self, entries: &Entries, kept: Option<&Entries>) {
        let is_kept = |same: fn(&Entries, &Entries) -> bool| kept.is_some_and(|kept| same(kept, entries));
        if let Some(owner) = entries.owner
            && !is_kept(|kept, entries| kept.name == entries.name && kept.owner == entries.owner)
        {
            let _ = files::remove(&self.layout.owner_entry(&owner, &entries.name));
        }
        if !is_kept(|kept, entries| kept == entries) {
            let _ = files::remove(&self.layout.sweep_entry(entries));
        }
    }

    /// Removes all entries of a record whose head cannot be read, by looking at the names of all sweep entries.
    pub(crate) fn remove_all_entries_of(&self, name: &RecordName) -> Result<()> {
        let mut matching = Vec::new();
        for day in self.folders_of_sweep(None)? {
            for slot in self.folders_below(&day, None)? {
                let part = slot.join(&name.as_str()[..1]);
                matching.extend(self.sweep_entries(&part, usize::MAX, |entries| entries.name == *name)?);
            }
        }
        matching.iter().for_each(|entries| self.remove_entries(entries, None));
        Ok(())
    }

    /// Says whether both entries are there.
    pub(crate) fn has_entries(&self, entries: &Entries) -> bool {
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        is_there(&self.layout.sweep_entry(entries))
            && entries.owner.is_none_or(|owner| is_there(&self.layout.owner_entry(&owner, &entries.name)))
    }
}

#[cfg(test)]
mod tests {
    use session_core::SessionKey;

    use super::*;

    #[test]
    fn a_sweep_entry_says_everything_in_its_name() {
        let name = RecordName::of(&SessionKey::parse("k").expect("visible"));
        let owner = OwnerId::parse("ada").expect("plain");
        for owner in [None, Some(&owner)] {
            for at in [Timestamp::MIN, Timestamp::MAX] {
                let entries = Entries::new(name, at, owner);
                assert_eq!(Entries::parse(&entries.sweep_name()), Some(entries));
            }
        }
        for bad in ["", "new", "1.2.3", "000000000000001.x.-"] {
            assert_eq!(Entries::parse(bad), None, "{bad}");
        }
    }
}
