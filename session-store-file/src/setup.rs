//! The folder: making it, and seeing that it is ours and complete, also when another one is found in its place.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

use session_core::{Error, LayoutError, Result};

use crate::calls::Disk;
use crate::files::{self, Access, Found, from_io};
use crate::layout::{PARTS, WHOLE};
use crate::locks::LockName;

/// The number of the layout that is written.
const NUMBER: u32 = 2;
const LAYOUT: &str = "session-store-file layout ";

/// Which folders the records are in: while these are there, the store is the one that was looked at. Empty before that.
pub(crate) type Known = Vec<(u64, u64)>;

/// Why a folder cannot be a store, or is none at present.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("the store's folder is not there, or is empty; `setup` makes it")]
    Gone,
    #[cfg(unix)]
    #[error("the folder belongs to another user than the one that the process runs as")]
    OfAnother,
    #[cfg(unix)]
    #[error("others may write to the folder; take that right from them (`chmod go-w`), or choose a folder below it")]
    OpenToOthers,
}

impl Disk {
    /// Makes what is missing of the store, open to its owner alone, and keeps what is there. Ten processes may do it at once.
    pub(crate) fn setup(&self) -> Result<()> {
        create_root(self.layout.root()).map_err(from_making)?;
        check_owner(self.layout.root(), 0o022)?;
        let found = self.number()?;
        // What is complete needs no lock.
        if found != Some(NUMBER) || self.look_at_parts().is_err() {
            if found.is_none() && self.is_foreign() {
                return Err(LayoutError::Foreign.into());
            }
            self.make_part(&self.layout.locks())?;
            let _setup = self.lock(LockName::Setup)?;
            if self.number()? == Some(1) {
                // From 1 to 2: other folders of hints, which are made again.
                for part in ["sweep", "owners"] {
                    files::remove_any(&self.layout.part(part)).map_err(from_io)?;
                }
            }
            let found = self.make_parts()?;
            self.write_number().map_err(from_making)?;
            self.adopt(found);
        }
        self.remove_ended()?;
        self.ensure_index()
    }

    /// Looks whether the store is complete, and makes nothing.
    pub(crate) fn verify(&self) -> Result<()> {
        if files::folder(self.layout.root()).map_err(from_io)?.is_none() && !self.layout.root().is_dir() {
            return Err(LayoutError::Absent.into());
        }
        check_owner(self.layout.root(), 0o022)?;
        match self.number()? {
            None => Err(if self.is_foreign() { LayoutError::Foreign } else { LayoutError::Absent }.into()),
            // A `clear` may be putting other folders there.
            Some(NUMBER) => {
                self.adopt(self.look_at_parts().or_else(|_| self.look_at_parts())?);
                Ok(())
            }
            Some(found) => Err(LayoutError::Older { found, needed: NUMBER }.into()),
        }
    }

    /// Says whether the folder of a shard is the one that is known; if it is not, looks at the store anew.
    pub(crate) fn check_place(&self, shard: u8) -> Result<bool> {
        let found = files::folder(&self.layout.shard(shard)).map_err(from_io)?;
        if found.is_some() && found == self.known().get(usize::from(shard)).copied() {
            return Ok(true);
        }
        self.restore()?;
        Ok(false)
    }

    /// Looks at the folder that is in the store's place now. Parts of it that somebody removed are made again, but not the folder:
    /// it may be on a disk that is away.
    pub(crate) fn restore(&self) -> Result<()> {
        if !self.layout.root().is_dir() {
            return Err(Error::unavailable(Unfit::Gone));
        }
        check_owner(self.layout.root(), 0o022)?;
        match self.number()? {
            None => return Err(Error::unavailable(Unfit::Gone)),
            Some(NUMBER) => {}
            Some(found) => return Err(LayoutError::Older { found, needed: NUMBER }.into()),
        }
        if let Ok(found) = self.look_at_parts() {
            self.adopt(found);
            return Ok(());
        }
        self.make_part(&self.layout.locks())?;
        // While it is held, no `clear` puts other folders there.
        let _setup = self.lock(LockName::Setup)?;
        self.adopt(self.make_parts()?);
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Replaced whole, so a panic elsewhere cannot leave half of it behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the folders that are there for the store's.
    fn adopt(&self, found: Known) {
        let mut known = self.known();
        if *known != found {
            *known = found;
            self.synced().clear();
        }
    }

    /// Reads the number of the layout; refuses one that cannot be ours, and a later one.
    fn number(&self) -> Result<Option<u32>> {
        let text = match files::find(&self.layout.number(), Access::Read).map_err(from_io)? {
            Found::Nothing => return Ok(None),
            Found::File(mut file, length) => files::read(&mut file, length.min(100)).map_err(from_io)?,
            Found::Unreadable(error) => return Err(from_io(error)),
            Found::Foreign => return Err(LayoutError::Foreign.into()),
        };
        let number = str::from_utf8(&text).ok().and_then(|text| text.strip_prefix(LAYOUT)?.trim_end().parse().ok());
        match number {
            None => Err(LayoutError::Foreign.into()),
            Some(found) if found > NUMBER => Err(LayoutError::Newer { found, known: NUMBER }.into()),
            number => Ok(number),
        }
    }

    /// Says whether a folder without a number is another program's: a setup that died began with its lock.
    fn is_foreign(&self) -> bool {
        PARTS.iter().any(|part| files::is_there(&self.layout.part(part)))
            && !files::is_there(&self.layout.lock("setup"))
    }

    /// Returns the folders of the records, if every part is there and ours.
    fn look_at_parts(&self) -> Result<Known> {
        let look = |path: &Path| {
            let folder = self.look_at_folder(path)?;
            check_owner(path, 0o077).map(|()| folder)
        };
        PARTS.iter().try_for_each(|part| look(&self.layout.part(part)).map(drop))?;
        look(&self.layout.locks())?;
        look(&self.layout.part("spare"))?;
        look(&self.layout.part("ended"))?;
        (0..=u8::MAX).map(|shard| look(&self.layout.shard(shard))).collect()
    }

    fn look_at_folder(&self, path: &Path) -> Result<(u64, u64)> {
        let part = || path.strip_prefix(self.layout.root()).unwrap_or(path).display().to_string();
        let found = files::folder(path).map_err(from_io)?;
        found.ok_or_else(|| LayoutError::Incomplete { part: part() }.into())
    }

    /// Makes the parts that are missing. What others may read after a backup was restored is closed to them.
    fn make_parts(&self) -> Result<Known> {
        for folder in [self.layout.part("spare"), self.layout.part("ended"), self.layout.locks()] {
            self.make_part(&folder)?;
        }
        // On a full disk there is no room for the locks that nobody has needed yet.
        let shards = (0..=u8::MAX).map(|shard| format!("{shard:02x}"));
        for lock in shards.chain(["ended", "index"].map(str::to_owned)) {
            files::open_lock(&self.layout.lock(&lock)).map_err(from_making)?;
        }
        for part in PARTS {
            self.make_part(&self.layout.part(part))?;
            self.make_spare(part)?;
        }
        self.look_at_parts()
    }

    /// Makes one of the parts, or the one that takes its place; that of the records with a folder for each shard.
    fn make_part(&self, path: &Path) -> Result<()> {
        let make = |path: &Path| {
            files::create_folder(path).map_err(from_making)?;
            // Nothing is made through a link.
            self.look_at_folder(path)?;
            close_to_others(path).map_err(from_making)
        };
        make(path)?;
        if path.ends_with("records") {
            (0..=u8::MAX).try_for_each(|shard| make(&path.join(format!("{shard:02x}"))))?;
        }
        Ok(())
    }

    /// Makes the folder that takes the place of a part; one of hints is whole, as there are no records.
    pub(crate) fn make_spare(&self, part: &str) -> Result<()> {
        let spare = self.layout.spare(part);
        self.make_part(&spare)?;
        let mark = spare.join(WHOLE);
        if part == "records" || files::is_there(&mark) {
            return Ok(());
        }
        files::create_anew(&mark).map(drop).map_err(from_making)
    }

    /// Writes the number when all folders are there and on the disk, those above the store too, whoever made them: so a
    /// process that finds the number has nothing to sync.
    fn write_number(&self) -> io::Result<()> {
        let staged = self.layout.lock("layout");
        let mut file = files::create_anew(&staged)?;
        file.write_all(format!("{LAYOUT}{NUMBER}\n").as_bytes())?;
        file.sync_all()?;
        files::sync_folder(&self.layout.part("records"))?;
        files::sync_folder(&self.layout.spare("records"))?;
        files::sync_folder(&self.layout.part("spare"))?;
        files::sync_folder(self.layout.root())?;
        sync_above(self.layout.root())?;
        fs::rename(staged, self.layout.number())?;
        files::sync_folder(self.layout.root())
    }
}

/// A missing right to make something has a cure of its own.
fn from_making(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::PermissionDenied { LayoutError::NotAllowed.into() } else { from_io(error) }
}

/// Makes the store's folder and those above it. One that is there may be a link and keeps its rights.
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

/// Refuses a folder in which somebody else may put things: a session that they forge, a folder in our folder's place.
#[cfg(unix)]
fn check_owner(path: &Path, rights_of_others: u32) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = fs::metadata(path).map_err(from_io)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::backend(Unfit::OfAnother));
    }
    if metadata.mode() & rights_of_others == 0 { Ok(()) } else { Err(Error::backend(Unfit::OpenToOthers)) }
}

#[cfg(not(unix))]
fn check_owner(_path: &Path, _rights_of_others: u32) -> Result<()> {
    Ok(())
}

/// Takes the rights of others away, for instance after a backup was restored without its modes. Not through a link.
#[cfg(unix)]
fn close_to_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() || metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn close_to_others(_path: &Path) -> io::Result<()> {
    Ok(())
}
