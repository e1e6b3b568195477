//! The hints: empty files whose names say when a record is due, and whose it may be. The sweep goes by them, and a listing of an owner.
//!
//! They are made before the record and removed after it, the sweep entry first and last, so whatever moment a process
//! dies at, a record has its entries. They are not believed: the record itself says whose it is and when it ends. What is left over names
//! everything that is needed to remove it: the sweep finds the entry when it is due, sees that no record claims it, and removes it together
//! with the owner's.
//!
//! A sweep entry's time is never later than its record's expiry. A touch leaves it alone, so that a touch costs one small
//! write; a record that is found live when its entry is due gets an entry for its present expiry. A record is therefore
//! looked at about once per lifetime, however many there are (`SWEEP-04`).

use std::collections::HashSet;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use session_core::{Error, OwnerId, Result, Timestamp};

use crate::Durability;
use crate::calls::Disk;
use crate::files::{self, Access, from_io};
use crate::layout::{OwnerTag, RecordName, WHOLE};
use crate::locks::{LockName, held};
use crate::record::{End, Head, timestamp};

/// How many names are held in memory at a time.
const BATCH: usize = 4096;
/// How many records a sweep looks at to see whether their entries are there.
const AUDIT: usize = 64;
/// In how many shards it looks for them, at most.
const AUDIT_SHARDS: u8 = 16;
/// How many folders a process knows to be synced before it begins anew: more than there are of owners.
const MOST_SYNCED: usize = 10_000;

/// The index entries of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) name: RecordName,
    pub(crate) sweep_at: Timestamp,
    pub(crate) owner: Option<OwnerTag>,
}

impl Hints {
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
    pub(crate) fn add_hints(&self, entries: &Hints) -> Result<Vec<PathBuf>> {
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

    pub(crate) fn synced(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        // A path is there or not, so a panic elsewhere cannot leave half of one behind.
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes entries that no record claims any more, except those that `kept` has too.
    ///
    /// What fails here leaves an entry that the sweep removes later, so it does not undo the call that has succeeded.
    pub(crate) fn remove_hints(&self, entries: &Hints, kept: Option<&Hints>) {
        let is_kept = |same: fn(&Hints, &Hints) -> bool| kept.is_some_and(|kept| same(kept, entries));
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
    pub(crate) fn remove_all_hints_of(&self, name: &RecordName) -> Result<()> {
        for day in folders(&self.layout.part("sweep"), |_| true)? {
            for slot in folders(&day, |slot| slot.ends_with(&name.as_str()[..1]))? {
                for hints in hints_in(&slot, usize::MAX, |hints| hints.name == *name)? {
                    self.remove_hints(&hints, None);
                }
            }
        }
        Ok(())
    }

    /// Says whether both entries are there.
    fn has_hints(&self, hints: &Hints) -> bool {
        files::is_there(&self.layout.sweep_entry(hints))
            && hints.owner.is_none_or(|owner| files::is_there(&self.layout.owner_entry(&owner, &hints.name)))
    }

    /// Goes from one sweep entry that is due to the next, and looks at no other record. One that it cannot settle is left to the next
    /// sweep, and tells of itself if nothing else was removed.
    pub(crate) fn delete_expired(&self, limit: u32) -> Result<u32> {
        self.ensure_index()?;
        let now = self.options.now();
        let due = format!("{:015}", now.unix_millis());
        let mut sweep = Sweep { now, limit, removed: 0, kept: HashSet::new(), stuck: HashSet::new(), error: None };
        for day in folders(&self.layout.part("sweep"), |day| *day <= due[..7])? {
            let is_over = !day.ends_with(&due[..7]);
            for slot in folders(&day, |slot| is_over || slot.get(..2).is_some_and(|slot| *slot <= due[7..9]))? {
                self.sweep_slot(&slot, &mut sweep)?;
                if sweep.removed == limit {
                    return Ok(limit);
                }
                // Fails while there is something in it.
                let _ = fs::remove_dir(&slot);
            }
            let _ = fs::remove_dir(&day);
        }
        self.remove_ended()?;
        self.remove_staged()?;
        self.audit()?;
        sweep.error.filter(|_| sweep.removed == 0).map_or(Ok(sweep.removed), Err)
    }

    /// Settles the entries of one folder that are due, until enough records are removed.
    fn sweep_slot(&self, slot: &Path, sweep: &mut Sweep) -> Result<()> {
        loop {
            let is_wanted = |hints: &Hints| hints.sweep_at <= sweep.now && !sweep.kept.contains(&hints.name);
            let due = hints_in(slot, BATCH, is_wanted)?;
            for hints in &due {
                if sweep.stuck.contains(&hints.name.shard()) {
                    sweep.kept.insert(hints.name);
                    continue;
                }
                match self.settle(hints) {
                    Ok(true) => sweep.removed += 1,
                    Ok(false) => {}
                    // What cannot be read stays stored (`UNREADABLE-04`), and so does its entry.
                    Err(Error::Corrupt(_)) => drop(sweep.kept.insert(hints.name)),
                    Err(error) => {
                        sweep.stuck.extend(held(&error).map(|_| hints.name.shard()));
                        sweep.kept.insert(hints.name);
                        sweep.error.get_or_insert(error);
                    }
                }
                if sweep.removed == sweep.limit {
                    return Ok(());
                }
            }
            if due.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// Decides about one entry that is due, under the lock of its record, by what the record says now; says whether that was removed.
    fn settle(&self, due: &Hints) -> Result<bool> {
        let _shard = self.lock_shard_patiently(due.name.shard())?;
        let Some(mut stored) = self.look(&due.name, Access::Write)? else {
            self.remove_hints(due, None);
            return Ok(false);
        };
        let claimed = Hints::of(due.name, &stored.head);
        let now = self.options.now();
        if !stored.head.is_live(now) {
            // Not synced: an expired record that comes back after a loss of power is as expired as before.
            files::remove(&self.layout.record(&due.name)).map_err(from_io)?;
            self.remove_hints(&claimed, None);
            self.remove_hints(due, None);
            return Ok(true);
        }
        let end = stored.head.ends.current;
        let kept = if claimed.sweep_at > now { claimed } else { Hints { sweep_at: end.expires_at, ..claimed } };
        // Not synced: what a loss of power takes of the entries comes back in the same way.
        self.add_hints(&kept)?;
        if kept != claimed {
            self.write_end(&mut stored, End { sweep_at: kept.sweep_at, ..end }).map_err(from_io)?;
            self.remove_hints(&claimed, Some(&kept));
        }
        self.remove_hints(due, Some(&kept));
        Ok(false)
    }

    /// Removes what killed processes were about to write. Under the lock, so that it is not what a live one writes.
    fn remove_staged(&self) -> Result<()> {
        for shard in 0..=u8::MAX {
            let staged = self.layout.staged(shard);
            if files::is_there(&staged)
                && let Ok(_shard) = self.lock_shard(shard)
            {
                files::remove_any(&staged).map_err(from_io)?;
            }
        }
        Ok(())
    }

    /// Looks at the next few records, sweep after sweep in a circle, and makes again what they miss of index entries:
    /// only a loss of power can take them, when nothing is synced, and only an administrator otherwise.
    fn audit(&self) -> Result<()> {
        // The name is copied whole, so a panic elsewhere cannot leave half of one behind.
        let position = || self.audited.lock().unwrap_or_else(PoisonError::into_inner);
        let after = *position();
        let first = after.map_or(0, |name| name.shard());
        let last = first.saturating_add(AUDIT_SHARDS - 1);
        let names = self.record_names(first..=last, after.as_ref().map(RecordName::as_str), AUDIT)?;
        for name in &names {
            // The next round looks again.
            let _ = self.mend(name, &mut HashSet::new());
        }
        *position() = match names.last() {
            Some(name) if names.len() == AUDIT => Some(*name),
            _ if last == u8::MAX => None,
            _ => Some(RecordName::last_of(last)),
        };
        Ok(())
    }

    /// Makes the entries of one record if they are missing, and says whether they were.
    fn mend(&self, name: &RecordName, changed: &mut HashSet<PathBuf>) -> Result<bool> {
        let claimed = || match self.look(name, Access::Read) {
            Err(Error::Corrupt(_)) => Ok(None),
            found => found.map(|found| found.map(|stored| Hints::of(*name, &stored.head))),
        };
        if claimed()?.is_none_or(|hints| self.has_hints(&hints)) {
            return Ok(false);
        }
        let _shard = self.lock_shard_patiently(name.shard())?;
        if let Some(hints) = claimed()? {
            changed.extend(self.add_hints(&hints)?);
        }
        Ok(true)
    }

    /// Makes the index again if it, or the mark that it is whole, is not there: before anybody is told less than there is.
    pub(crate) fn ensure_index(&self) -> Result<()> {
        let is_whole = || self.index_marks().iter().all(|mark| files::is_there(mark));
        if is_whole() {
            return Ok(());
        }
        self.restore()?;
        let _index = self.lock(LockName::Index)?;
        if is_whole() { Ok(()) } else { self.mend_all().map(drop) }
    }

    /// Looks at every record, and makes the entries that are missing; returns how many records missed some.
    pub(crate) fn repair(&self) -> Result<u64> {
        let _index = self.lock(LockName::Index)?;
        self.mend_all()
    }

    fn mend_all(&self) -> Result<u64> {
        let (mut mended, mut changed) = (0, HashSet::new());
        for shard in 0..=u8::MAX {
            for name in self.record_names(shard..=shard, None, usize::MAX)? {
                mended += u64::from(self.mend(&name, &mut changed)?);
            }
        }
        let mut folders: Vec<PathBuf> = changed.into_iter().collect();
        folders.sort_unstable_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        self.sync_folders(&folders).map_err(from_io)?;
        for mark in self.index_marks() {
            let made = files::create_anew(&mark).map_err(from_io)?;
            self.sync(&made).map_err(from_io)?;
        }
        Ok(mended)
    }

    fn index_marks(&self) -> [PathBuf; 2] {
        ["sweep", "owners"].map(|part| self.layout.part(part).join(WHOLE))
    }
}

/// How far a sweep is.
#[derive(Debug)]
struct Sweep {
    now: Timestamp,
    limit: u32,
    removed: u32,
    /// The records that it could not settle.
    kept: HashSet<RecordName>,
    /// The shards whose lock it could not have.
    stuck: HashSet<u8>,
    error: Option<Error>,
}

/// Returns the folders in a folder of sweep entries whose names, digits of a time, are wanted, in the order of time.
fn folders(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wanted = |name: &str| (is_number(name) && is_wanted(name)).then(|| name.to_owned());
    let mut names = files::names(path, usize::MAX, wanted).map_err(from_io)?;
    names.sort_unstable();
    Ok(names.into_iter().map(|name| path.join(name)).collect())
}

/// Returns up to `limit` sweep entries of a folder that are wanted.
fn hints_in(slot: &Path, limit: usize, is_wanted: impl Fn(&Hints) -> bool) -> Result<Vec<Hints>> {
    files::names(slot, limit, |name| Hints::parse(name).filter(&is_wanted)).map_err(from_io)
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
                let entries = Hints::new(name, at, owner);
                assert_eq!(Hints::parse(&entries.sweep_name()), Some(entries));
            }
        }
        for bad in ["", "new", "1.2.3", "000000000000001.x.-"] {
            assert_eq!(Hints::parse(bad), None, "{bad}");
        }
    }
}
