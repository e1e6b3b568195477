//! Where things are: the paths below the store's folder.
//!
//! ```text
//! layout                                      the version of all this
//! locks/ab, locks/owner-ab                    empty; never removed
//! records/ab/abcd…                            one record; `records/ab/new` is the one that is being written
//! sweep/0017673/55/a/001767355200000.abcd….0f1e…  empty: record abcd… of owner 0f1e… is due at that time, not before
//! owners/0f1/0f1e….abcd…                      empty: record abcd… may belong to owner 0f1e…
//! ```
//!
//! The entries below `sweep` and `owners` are further names of `locks/ab`, where the file system has such.

use std::path::{Path, PathBuf};

use crate::entries::Entries;
use crate::name::{OwnerTag, RecordName};

/// The folder of a store, as an absolute path.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn version(&self) -> PathBuf {
        self.below(&["layout"])
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.below(&["locks"])
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.below(&["locks", name])
    }

    pub(crate) fn records(&self) -> PathBuf {
        self.below(&["records"])
    }

    pub(crate) fn shard(&self, shard: u8) -> PathBuf {
        self.below(&["records", &format!("{shard:02x}")])
    }

    pub(crate) fn record(&self, name: &RecordName) -> PathBuf {
        self.below(&["records", &name.as_str()[..2], name.as_str()])
    }

    /// The file that becomes a record by being renamed. One per shard is enough: whoever writes holds the shard's lock.
    pub(crate) fn staged(&self, shard: u8) -> PathBuf {
        self.below(&["records", &format!("{shard:02x}"), "new"])
    }

    pub(crate) fn sweep(&self) -> PathBuf {
        self.below(&["sweep"])
    }

    pub(crate) fn owners(&self) -> PathBuf {
        self.below(&["owners"])
    }

    /// The folder of about 28 hours, below which there is one for each 1000 seconds. Sessions that begin together are due together,
    /// so there are sixteen below that, by the first digit of the record: the system lets one write to a folder at a time.
    pub(crate) fn sweep_entry(&self, entries: &Entries) -> PathBuf {
        let name = entries.sweep_name();
        self.below(&["sweep", &name[..7], &name[7..9], &entries.name.as_str()[..1], &name])
    }

    /// The folder in which the entries of an owner are, among those of others whose tags begin alike.
    pub(crate) fn owner_folder(&self, owner: &OwnerTag) -> PathBuf {
        self.below(&["owners", &owner.as_str()[..3]])
    }

    pub(crate) fn owner_entry(&self, owner: &OwnerTag, name: &RecordName) -> PathBuf {
        let (owner, name) = (owner.as_str(), name.as_str());
        self.below(&["owners", &owner[..3], &format!("{owner}.{name}")])
    }

    fn below(&self, parts: &[&str]) -> PathBuf {
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + length);
        path.push(&self.root);
        path.extend(parts);
        path
    }
}
