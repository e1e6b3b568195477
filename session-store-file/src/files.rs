//! The few things that are done to files, none of which follows a link, and what their errors mean to the caller.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use session_core::Error;

/// What there is at a path where a file of ours belongs.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    File(File, u64),
    /// A folder, a link, a pipe: nothing that we put there.
    Foreign,
    /// A file that this process may not read, or the disk cannot.
    Unreadable(io::Error),
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Opens a regular file and returns its length.
pub(crate) fn find(path: &Path, access: Access) -> io::Result<Found> {
    let mut options = OpenOptions::new();
    options.read(true).write(access == Access::Write);
    match refuse_links(&mut options).open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            Ok(if metadata.is_file() { Found::File(file, metadata.len()) } else { Found::Foreign })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        // What a system calls the refusal of a link or a folder differs; what is there does not.
        Err(error) => match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => Ok(Found::Foreign),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Ok(_) if is_of_one_file(&error) => Ok(Found::Unreadable(error)),
            _ => Err(error),
        },
    }
}

/// Says whether an error is about the one file, and not about the disk or this process.
fn is_of_one_file(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_bad_block = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    #[cfg(not(unix))]
    let is_bad_block = false;
    is_bad_block || error.kind() == io::ErrorKind::PermissionDenied
}

/// Says what an error in reading a record means: one that no retry cures makes it unreadable, as damage does.
pub(crate) fn from_read(error: io::Error) -> Error {
    if is_of_one_file(&error) { Error::corrupt(error) } else { from_io(error) }
}

/// Says what an error of the file system means: what an administrator must cure is `Backend`, the rest passes.
///
/// A full or read-only disk, an unmounted folder, a missing file handle and a failing device are worth a retry
/// (`OUTAGE-01`). The messages of `std` name no path.
pub(crate) fn from_io(error: io::Error) -> Error {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::PermissionDenied | Kind::Unsupported | Kind::InvalidInput | Kind::InvalidFilename => {
            Error::backend(error)
        }
        _ => Error::unavailable(error),
    }
}

/// Which folder is at a path: the same number of the same file system is the same folder. `None` if there is no folder.
pub(crate) fn folder(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir().then(|| identity(&metadata))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says whether a file that was opened is still the one at its path.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        outcome => outcome?,
    };
    Ok(identity(&file.metadata()?) == identity(&there))
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;

    (metadata.dev(), metadata.ino())
}

/// Elsewhere the standard library does not tell.
#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// Says whether something is at a path.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Reads the names in a folder and returns up to `limit` that `parse` accepts; none if there is no such folder.
pub(crate) fn names<T>(path: &Path, limit: usize, parse: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
    let mut names = Vec::new();
    if folder(path)?.is_none() {
        return Ok(names);
    }
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        outcome => outcome?,
    };
    for entry in entries {
        if let Some(name) = entry?.file_name().to_str().and_then(&parse) {
            names.push(name);
            if names.len() == limit {
                break;
            }
        }
    }
    Ok(names)
}

/// Reads up to `length` bytes from `offset` on.
pub(crate) fn read_at(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    read(file, length)
}

/// Reads up to `length` bytes of a file that was just opened.
pub(crate) fn read(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Overwrites bytes in place.
pub(crate) fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Makes a file that was not there, readable by its owner alone; what a killed process left there is removed.
pub(crate) fn create_anew(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let options = private(&mut options);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_any(path)?;
            options.open(path)
        }
        outcome => outcome,
    }
}

/// Makes an entry, an empty file, if it is not there, and the folders above it; says whether a folder was made.
///
/// It becomes one more name of `empty`: a name is several times cheaper than a file, to make and to remove. Where the system has no such
/// names, or no more of them for one file, the entry is a file of its own.
pub(crate) fn create_entry(path: &Path, empty: &Path, root: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    let options = refuse_links(private(&mut options));
    let make = || match fs::hard_link(empty, path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
            options.open(path).map(drop)
        }
        outcome => outcome,
    };
    let mut is_folder_new = false;
    // A sweep may remove an empty folder between its making and its use, or while those below it are made; nobody is that
    // unlucky eight times.
    for _ in 0..8 {
        match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(is_folder_new),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_folder_new = true;
                match create_folders(path.parent().unwrap_or(root), root) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            outcome => return outcome.map(|()| is_folder_new),
        }
    }
    options.open(path).map(|_| is_folder_new)
}

/// Opens a lock file, and makes it if it is not there.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    refuse_links(private(&mut options)).open(path)
}

/// Makes the folders from `root`, which is there, down to `path`. That another process does the same is fine.
fn create_folders(path: &Path, root: &Path) -> io::Result<()> {
    if path == root {
        return Ok(());
    }
    match create_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folders(path.parent().unwrap_or(root), root)?;
            create_folder(path)
        }
        outcome => outcome,
    }
}

/// Makes one folder, open to its owner alone, unless it is there.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    let created = std::os::unix::fs::DirBuilderExt::mode(&mut DirBuilder::new(), 0o700).create(path);
    #[cfg(not(unix))]
    let created = DirBuilder::new().create(path);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

/// Removes a file, a link (not what it points to) or a folder with all that is in it; fine if nothing is there.
pub(crate) fn remove_any(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => absent_is_fine(fs::remove_dir_all(path)),
        Ok(_) => remove(path),
        Err(error) => absent_is_fine(Err(error)),
    }
}

/// Removes a file or a link; fine if it is not there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path))
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Writes the names of a folder to the disk. Windows has no such call, and keeps them in its journal.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A link is refused or opened itself; a pipe that somebody put there does not make us wait.
fn refuse_links(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    #[cfg(windows)]
    {
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        std::os::windows::fs::OpenOptionsExt::custom_flags(options, FILE_FLAG_OPEN_REPARSE_POINT);
    }
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn what_passes_is_unavailable_and_what_must_be_cured_is_backend() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::NotFound] {
            assert!(matches!(from_io(kind.into()), Error::Unavailable(_)), "{kind}");
        }
        assert!(matches!(from_io(io::ErrorKind::PermissionDenied.into()), Error::Backend(_)));
        let bad_block = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
        assert!(matches!(from_read(bad_block), Error::Corrupt(_)), "of one record");
    }

    #[test]
    fn an_entry_is_a_name_of_the_empty_file_or_a_file_of_its_own() {
        let root = tempfile::tempdir().expect("a folder");
        let (root, folder) = (root.path(), root.path().join("a/b"));
        File::create(root.join("empty")).expect("mine");
        let make = |name: &str, empty: &str| create_entry(&folder.join(name), &root.join(empty), root).ok();
        assert_eq!(make("one", "empty"), Some(true), "its folders are new");
        assert_eq!(make("two", "empty"), Some(false));
        assert_eq!(make("two", "empty"), Some(false), "it is there");
        // A folder has no further names, like any file on some systems.
        assert_eq!(make("three", "a"), Some(false));
        assert_eq!(make("three", "a"), Some(false), "it is there");
        let names = |name: &str| fs::symlink_metadata(folder.join(name)).map(|metadata| metadata.nlink()).ok();
        assert_eq!((names("one"), names("two"), names("three")), (Some(3), Some(3), Some(1)));
    }

    #[test]
    fn an_entry_is_made_although_sweeps_remove_its_folders() {
        let root = tempfile::tempdir().expect("a folder");
        let (root, empty) = (root.path(), root.path().join("empty"));
        File::create(&empty).expect("mine");
        let (day, slot, part) = (root.join("a"), root.join("a/b"), root.join("a/b/c"));
        let entry = part.join("entry");
        for round in 0..1000 {
            let start = std::sync::Barrier::new(2);
            let made = std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    // Two sweeps are six removals: fewer than there are attempts.
                    for folder in [&part, &slot, &day, &part, &slot, &day] {
                        let _ = fs::remove_dir(folder);
                    }
                });
                start.wait();
                create_entry(&entry, &empty, root)
            });
            assert!(made.is_ok(), "round {round}: {made:?}");
            fs::remove_file(&entry).expect("it was made");
        }
    }
}
