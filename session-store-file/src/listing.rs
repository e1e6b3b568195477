//! The calls of the index: which sessions there are, and whose; the end of those of one owner, and of all.

use std::fs;
use std::ops::RangeInclusive;

use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, SessionKey, Timestamp};

use crate::Durability;
use crate::calls::{Disk, Stored, look_into};
use crate::files::{self, Access, from_io};
use crate::hints::Hints;
use crate::layout::{OwnerTag, PARTS, RecordName, WHOLE};
use crate::locks::{Lock, LockName, held};

/// How many names are held in memory at a time.
const BATCH: usize = 1024;

impl Disk {
    /// Lists in the order of the file names; the cursor is the last one that was looked at.
    pub(crate) fn list(&self, owner: Option<&OwnerId>, page: &Page) -> Result<Listing> {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let mut sessions = Vec::new();
        let after = page.cursor().map(Cursor::as_str);
        let next = self.for_each_live(owner, 0..=u8::MAX, after, |stored| {
            sessions.push(stored.head.into_info());
            sessions.len() < limit
        })?;
        Ok(Listing::new(sessions, next.map(|name| Cursor::new(name.as_str()))))
    }

    /// Counts the sessions of an owner, or all of some shards.
    pub(crate) fn count(&self, owner: Option<&OwnerId>, shards: RangeInclusive<u8>) -> Result<u64> {
        let mut count = 0;
        self.for_each_live(owner, shards, None, |_| {
            count += 1;
            true
        })?;
        Ok(count)
    }

    /// Shows the live records in scope after the given name until `show` has enough; returns the last name then.
    ///
    /// Those of an owner under its lock: a record that moved meanwhile would be at neither place when that is looked at.
    fn for_each_live(
        &self,
        owner: Option<&OwnerId>,
        shards: RangeInclusive<u8>,
        after: Option<&str>,
        mut show: impl FnMut(Stored) -> bool,
    ) -> Result<Option<RecordName>> {
        let _owner = owner.map(|owner| self.lock_owner(owner)).transpose()?;
        let mut last: Option<RecordName> = None;
        loop {
            let after = last.as_ref().map(RecordName::as_str).or(after);
            let names = match owner {
                Some(owner) => self.owned_names(owner, after, BATCH)?,
                None => self.record_names(shards.clone(), after, BATCH)?,
            };
            for name in &names {
                if let Some(stored) = self.look_listed(name, owner)?
                    && !show(stored)
                {
                    return Ok(Some(*name));
                }
            }
            if names.len() < BATCH {
                return Ok(None);
            }
            last = names.last().copied();
        }
    }

    /// Removes up to `limit` records of an owner except one; adds those that were live to `ended`, and says whether there may be more.
    ///
    /// The last time that it finds none is the moment from which there are none.
    pub(crate) fn delete_owned(
        &self,
        owner: &OwnerId,
        except: Option<&SessionKey>,
        limit: usize,
        ended: &mut u64,
    ) -> Result<bool> {
        let except = except.map(RecordName::of);
        let tag = OwnerTag::of(owner);
        // While this is held, no session of the owner moves to a place that was looked at already (`OWNER-04`).
        let _owner = self.lock_owner(owner)?;
        let mut names = self.owned_names(owner, None, limit.saturating_add(1))?;
        names.retain(|name| Some(*name) != except);
        let is_more = names.len() > limit;
        names.truncate(limit);
        for names in names.chunk_by(|one, other| one.shard() == other.shard()) {
            let shard = names[0].shard();
            let _shard = self.lock_shard(shard)?;
            let mut removed = Vec::new();
            for name in names {
                let hints = match self.look(name, Access::Read) {
                    Ok(Some(stored)) if stored.head.owner.as_ref() == Some(owner) => {
                        files::remove(&self.layout.record(name)).map_err(from_io)?;
                        *ended += u64::from(stored.head.is_live(self.options.now()));
                        Hints::of(*name, &stored.head)
                    }
                    // What cannot be read is the owner's as far as anybody knows.
                    Err(Error::Corrupt(_)) => {
                        files::remove_any(&self.layout.record(name)).map_err(from_io)?;
                        self.remove_all_hints_of(name)?;
                        continue;
                    }
                    // An entry that a crash left; the sweep entry that goes with it stays until it is due.
                    Ok(_) => {
                        let _ = files::remove(&self.layout.owner_entry(&tag, name));
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                removed.push(hints);
            }
            self.sync_shard(shard).map_err(from_io)?;
            removed.iter().for_each(|hints| self.remove_hints(hints, None));
        }
        Ok(is_more)
    }

    /// Ends all sessions in one step: puts the folders of all away and empty ones in their place. What was put away is removed after
    /// that, while others write again.
    ///
    /// `locks` are those that it has already, when it is run again.
    pub(crate) fn clear(&self, locks: &mut Vec<Lock>) -> Result<u64> {
        if locks.is_empty() {
            self.check_place(0)?;
            locks.push(self.lock(LockName::Ended)?);
            self.remove_parts(None)?;
        }
        let shards = (0..=u8::MAX).map(LockName::Shard);
        for name in [LockName::Ended, LockName::Setup].into_iter().chain(shards).skip(locks.len()) {
            locks.push(self.lock(name)?);
        }
        let now = self.options.now();
        for part in PARTS {
            self.make_spare(part)?;
            fs::rename(self.layout.part(part), self.layout.ended(part)).map_err(from_io)?;
            fs::rename(self.layout.spare(part), self.layout.part(part)).map_err(from_io)?;
        }
        if self.durability == Durability::Full {
            let folders = [self.layout.part("ended"), self.layout.part("spare"), self.layout.root().to_owned()];
            folders.iter().try_for_each(|folder| files::sync_folder(folder)).map_err(from_io)?;
        }
        locks.truncate(1);
        self.remove_parts(Some(now))
    }

    /// Removes what a `clear` has put away and had no time to remove, unless one is at work.
    pub(crate) fn remove_ended(&self) -> Result<()> {
        if !PARTS.iter().any(|part| files::is_there(&self.layout.ended(part))) {
            return Ok(());
        }
        match self.lock(LockName::Ended) {
            Err(error) if held(&error).is_some() => Ok(()),
            lock => {
                let _ended = lock?;
                self.remove_parts(None).map(drop)
            }
        }
    }

    /// Empties the folders that were put away, and keeps them for the next time: on a full disk new ones cannot be made. Counts the
    /// records that were live at a time.
    fn remove_parts(&self, now: Option<Timestamp>) -> Result<u64> {
        let mut ended = 0;
        for shard in 0..=u8::MAX {
            let folder = self.layout.ended("records").join(format!("{shard:02x}"));
            for name in files::names(&folder, usize::MAX, |name| Some(name.to_owned())).map_err(from_io)? {
                let path = folder.join(&name);
                if let (Some(now), Some(name)) = (now, RecordName::parse(&name))
                    && let Ok(stored) =
                        files::find(&path, Access::Read).map_err(from_io).and_then(|found| look_into(found, &name))
                {
                    ended += u64::from(stored.head.is_live(now));
                }
                files::remove_any(&path).map_err(from_io)?;
            }
        }
        for part in PARTS {
            let ended = self.layout.ended(part);
            let is_left = |name: &str| part != "records" && name != WHOLE;
            for name in
                files::names(&ended, usize::MAX, |name| is_left(name).then(|| name.to_owned())).map_err(from_io)?
            {
                files::remove_any(&ended.join(name)).map_err(from_io)?;
            }
            if !files::is_there(&ended) {
                continue;
            }
            if files::is_there(&self.layout.spare(part)) {
                files::remove_any(&ended).map_err(from_io)?;
            } else {
                fs::rename(&ended, self.layout.spare(part)).map_err(from_io)?;
            }
        }
        Ok(ended)
    }

    /// Returns up to `limit` names of records that may be an owner's, after the given one, in their order.
    fn owned_names(&self, owner: &OwnerId, after: Option<&str>, limit: usize) -> Result<Vec<RecordName>> {
        self.ensure_index()?;
        let owner = OwnerTag::of(owner);
        let mut found = files::names(&self.layout.owner_folder(&owner), usize::MAX, |entry| {
            let name = RecordName::parse(entry.strip_prefix(owner.as_str())?.strip_prefix('.')?)?;
            after.is_none_or(|after| name.as_str() > after).then_some(name)
        })
        .map_err(from_io)?;
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    /// Returns up to `limit` names of records in some shards, after the given name, in their order.
    pub(crate) fn record_names(
        &self,
        shards: RangeInclusive<u8>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RecordName>> {
        let mut found = Vec::new();
        for shard in shards {
            let is_before =
                after.is_some_and(|after| after.get(..2).is_some_and(|first| *format!("{shard:02x}") < *first));
            if is_before {
                continue;
            }
            self.check_place(shard)?;
            let mut names = files::names(&self.layout.shard(shard), usize::MAX, |name| {
                RecordName::parse(name).filter(|name| after.is_none_or(|after| name.as_str() > after))
            })
            .map_err(from_io)?;
            names.sort_unstable();
            found.extend(names);
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// Looks at a record for a listing: live, and in scope by its own word. What cannot be read is not listed.
    fn look_listed(&self, name: &RecordName, owner: Option<&OwnerId>) -> Result<Option<Stored>> {
        // Before the file is read, as in a load.
        let now = self.options.now();
        let stored = match self.look(name, Access::Read) {
            Err(Error::Corrupt(_)) => None,
            outcome => outcome?,
        };
        let is_in_scope = |stored: &Stored| owner.is_none() || stored.head.owner.as_ref() == owner;
        Ok(stored.filter(|stored| stored.head.is_live(now) && is_in_scope(stored)))
    }
}
