//! Opening a store: makes its folders, or finds that they are there.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use session_core::{Error, Result};

use crate::disk::Disk;
use crate::error::from_io;
use crate::files::{self, Access, Found};
use crate::layout::Layout;

const VERSION: &str = "session-store-file layout 1\n";

/// Why a folder cannot be a store.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("the folder belongs to another version of the session store")]
    Version,
    #[cfg(unix)]
    #[error("every user of the machine may write to the folder: choose one below it")]
    OpenToAll,
    #[error("in the place of a folder of the session store there is something else")]
    NotAFolder,
}

impl Disk {
    /// Makes the store's folders, open to their owner alone, and keeps those that are there. Ten processes may do it
    /// at once.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let root = std::path::absolute(path).map_err(from_io)?;
        create_root(&root).map_err(from_io)?;
        refuse_open_root(&root)?;
        let disk = Self::new(Layout::new(root));
        ensure_folder(&disk.layout.locks())?;
        let _setup = disk.lock_setup()?;
        disk.check_version()?;
        for folder in [disk.layout.records(), disk.layout.sweep(), disk.layout.owners()] {
            ensure_folder(&folder)?;
        }
        for shard in 0..=u8::MAX {
            ensure_folder(&disk.layout.shard(shard))?;
        }
        disk.write_version().map_err(from_io)?;
        Ok(disk)
    }

    fn check_version(&self) -> Result<()> {
        match files::find(&self.layout.version(), Access::Read).map_err(from_io)? {
            Found::Nothing => Ok(()),
            Found::Foreign => Err(Error::backend(Unfit::Version)),
            Found::File(mut file, length) => {
                let text = files::read(&mut file, length.min(100)).map_err(from_io)?;
                if text == VERSION.as_bytes() { Ok(()) } else { Err(Error::backend(Unfit::Version)) }
            }
        }
    }

    /// Writes the version when all folders are there and on the disk, those above the store too, whoever made them: so a
    /// process that finds the version has nothing to sync.
    fn write_version(&self) -> io::Result<()> {
        if matches!(files::find(&self.layout.version(), Access::Read)?, Found::File(..)) {
            return Ok(());
        }
        let staged = self.layout.lock("layout");
        let mut file = files::create_anew(&staged)?;
        file.write_all(VERSION.as_bytes())?;
        file.sync_all()?;
        files::sync_folder(&self.layout.records())?;
        files::sync_folder(self.layout.root())?;
        sync_above(self.layout.root())?;
        fs::rename(staged, self.layout.version())?;
        files::sync_folder(self.layout.root())
    }
}

/// Makes the store's folder and those above it. One that is there may be a link and keeps its rights: it is the
/// administrator's choice, and what is below it is closed to others in any case.
fn create_root(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    files::create_folder(root)
}

/// Writes the names in all folders above the store to the disk.
fn sync_above(root: &Path) -> io::Result<()> {
    use io::ErrorKind as Kind;
    for folder in root.ancestors().skip(1) {
        match files::sync_folder(folder) {
            // What may not be read, or is of a file system that has no syncs or is never written, nobody has just made.
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::PermissionDenied | Kind::InvalidInput | Kind::Unsupported | Kind::ReadOnlyFilesystem
                ) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn ensure_folder(path: &Path) -> Result<()> {
    files::create_folder(path).map_err(from_io)?;
    let metadata = fs::symlink_metadata(path).map_err(from_io)?;
    if !metadata.is_dir() {
        return Err(Error::backend(Unfit::NotAFolder));
    }
    close_to_others(path, &metadata).map_err(from_io)
}

/// Refuses a folder in which everybody may put things, so that nobody puts a folder of their own in our folder's place.
#[cfg(unix)]
fn refuse_open_root(root: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = fs::metadata(root).map_err(from_io)?.permissions().mode();
    if mode & 0o002 == 0 { Ok(()) } else { Err(Error::backend(Unfit::OpenToAll)) }
}

#[cfg(not(unix))]
fn refuse_open_root(_root: &Path) -> Result<()> {
    Ok(())
}

/// Takes the rights of others away, for instance after a backup was restored without its modes.
#[cfg(unix)]
fn close_to_others(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let mut permissions = metadata.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(0o700);
    fs::set_permissions(path, permissions)
}

#[cfg(not(unix))]
fn close_to_others(_path: &Path, _metadata: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
