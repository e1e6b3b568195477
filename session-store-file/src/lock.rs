//! The locks that hold between threads and processes alike.
//!
//! Every call opens the lock file for itself. Such a lock belongs to the open file and not to the process, so two
//! threads exclude each other in the same way as two processes do, and no second lock inside of the process is needed.
//! It ends when the file is closed, by whatever end the process takes.
//!
//! Order, so that nobody waits in a circle: first the owner's lock, then shards with rising numbers.

use std::fs::File;
use std::io;

use session_core::{OwnerId, Result};

use crate::disk::Disk;
use crate::error::from_io;
use crate::files;
use crate::name::OwnerTag;

/// A lock that is held until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Lock {
    _file: File,
}

impl Disk {
    /// Takes the lock of a shard: alone, its holder writes records of that shard and their index entries.
    pub(crate) fn lock_shard(&self, shard: u8) -> Result<Lock> {
        self.lock(&format!("{shard:02x}"), File::lock)
    }

    /// Takes the locks of two shards, or one if they are the same.
    pub(crate) fn lock_two_shards(&self, one: u8, other: u8) -> Result<(Lock, Option<Lock>)> {
        let first = self.lock_shard(one.min(other))?;
        let second = if one == other { None } else { Some(self.lock_shard(one.max(other))?) };
        Ok((first, second))
    }

    /// Takes the locks of all shards: nobody else writes anything.
    pub(crate) fn lock_all_shards(&self) -> Result<Vec<Lock>> {
        (0..=u8::MAX).map(|shard| self.lock_shard(shard)).collect()
    }

    /// Keeps [`lock_owner`](Self::lock_owner) out while a record comes to an owner, in a place that is new to it.
    pub(crate) fn enter_owner(&self, owner: Option<&OwnerId>) -> Result<Option<Lock>> {
        owner.map(|owner| self.lock(&owner_lock(owner), File::lock_shared)).transpose()
    }

    /// Takes the lock of an owner: no record comes to it, so that those it has can be gone through (`OWNER-04`).
    pub(crate) fn lock_owner(&self, owner: &OwnerId) -> Result<Lock> {
        self.lock(&owner_lock(owner), File::lock)
    }

    /// Takes the lock of the setup.
    pub(crate) fn lock_setup(&self) -> Result<Lock> {
        self.lock("setup", File::lock)
    }

    fn lock(&self, name: &str, take: fn(&File) -> io::Result<()>) -> Result<Lock> {
        let file = files::open_lock(&self.layout.lock(name)).map_err(from_io)?;
        loop {
            match take(&file) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(from_io(error)),
            }
        }
    }
}

fn owner_lock(owner: &OwnerId) -> String {
    format!("owner-{}", &OwnerTag::of(owner).as_str()[..2])
}
