//! The calls of the index: which sessions there are, and whose.

use std::fs;
use std::ops::RangeInclusive;

use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionKey};

use crate::disk::{Disk, Stored};
use crate::error::from_io;
use crate::files::{self, Access};
use crate::name::{OwnerTag, RecordName};
use crate::sweep::names;

/// How many names are held in memory at a time.
const BATCH: usize = 1024;

impl Disk {
    /// Lists in the order of the file names; the cursor is the last one that was looked at.
    pub(crate) fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let mut sessions = Vec::new();
        let after = page.cursor().map(Cursor::as_str);
        let next = self.for_each_live(scope, after, |stored| {
            sessions.push(stored.head.into_info());
            sessions.len() < limit
        })?;
        Ok(Listing::new(sessions, next.map(|name| Cursor::new(name.as_str()))))
    }

    pub(crate) fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let mut count = 0;
        self.for_each_live(scope, None, |_| {
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
        scope: Scope<'_>,
        after: Option<&str>,
        mut show: impl FnMut(Stored) -> bool,
    ) -> Result<Option<RecordName>> {
        let _owner = if let Scope::Owner(owner) = scope { Some(self.lock_owner(owner)?) } else { None };
        let mut last: Option<RecordName> = None;
        loop {
            let names = self.names_in(scope, last.as_ref().map(RecordName::as_str).or(after), BATCH)?;
            for name in &names {
                if let Some(stored) = self.look_listed(name, scope)?
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

    pub(crate) fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let mut ended = 0;
        // While this is held, no session of the owner moves to a place that was looked at already (`OWNER-04`).
        let _owner = self.lock_owner(owner)?;
        for name in self.names_in(Scope::Owner(owner), None, usize::MAX)? {
            let _shard = self.lock_shard(name.shard())?;
            match self.look(&name, Access::Read) {
                Ok(Some(stored)) if stored.head.owner.as_ref() == Some(owner) => {
                    if Some(&stored.head.key) != except {
                        self.remove(&stored)?;
                        ended += u64::from(stored.head.is_live(self.options.now()));
                    }
                }
                // An entry that a crash left; the sweep entry that goes with it stays until it is due.
                Ok(_) => drop(files::remove(&self.layout.owner_entry(&OwnerTag::of(owner), &name))),
                Err(Error::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    pub(crate) fn clear(&self) -> Result<u64> {
        let _shards = self.lock_all_shards()?;
        let mut ended = 0;
        for shard in 0..=u8::MAX {
            for name in names(&self.layout.shard(shard), usize::MAX, |name| Some(name.to_owned()))? {
                if let Some(name) = RecordName::parse(&name)
                    && let Ok(Some(stored)) = self.look(&name, Access::Read)
                {
                    ended += u64::from(stored.head.is_live(self.options.now()));
                }
                files::remove_any(&self.layout.shard(shard).join(name)).map_err(from_io)?;
            }
            self.sync_shard(shard).map_err(from_io)?;
        }
        for index in [self.layout.sweep(), self.layout.owners()] {
            for name in names(&index, usize::MAX, |name| Some(name.to_owned()))? {
                files::remove_any(&index.join(name)).map_err(from_io)?;
            }
        }
        Ok(ended)
    }

    /// Returns up to `limit` names of records that may be in scope, after the given one, in their order.
    fn names_in(&self, scope: Scope<'_>, after: Option<&str>, limit: usize) -> Result<Vec<RecordName>> {
        let Scope::Owner(owner) = scope else { return self.record_names(0..=u8::MAX, after, limit) };
        let owner = OwnerTag::of(owner);
        let mut found = names(&self.layout.owner_folder(&owner), usize::MAX, |entry| {
            let name = RecordName::parse(entry.strip_prefix(owner.as_str())?.strip_prefix('.')?)?;
            after.is_none_or(|after| name.as_str() > after).then_some(name)
        })?;
        if found.is_empty() {
            // Tells an owner without sessions from a store that is not there (`OUTAGE-01`).
            fs::symlink_metadata(self.layout.owners()).map_err(from_io)?;
        }
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
        fs::symlink_metadata(self.layout.records()).map_err(from_io)?;
        let mut found = Vec::new();
        for shard in shards {
            let is_before =
                after.is_some_and(|after| after.get(..2).is_some_and(|first| *format!("{shard:02x}") < *first));
            if is_before {
                continue;
            }
            let mut names = names(&self.layout.shard(shard), usize::MAX, |name| {
                RecordName::parse(name).filter(|name| after.is_none_or(|after| name.as_str() > after))
            })?;
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
    fn look_listed(&self, name: &RecordName, scope: Scope<'_>) -> Result<Option<Stored>> {
        // Before the file is read, as in a load.
        let now = self.options.now();
        let stored = match self.look(name, Access::Read) {
            Err(Error::Corrupt(_)) => None,
            outcome => outcome?,
        };
        Ok(stored.filter(|stored| match scope {
            Scope::Owner(owner) => stored.head.is_live(now) && stored.head.owner.as_ref() == Some(owner),
            _ => stored.head.is_live(now),
        }))
    }
}
