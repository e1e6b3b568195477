//! What the suite needs to know of the file store: where it is, what is in it, and how it is damaged and taken away.

use std::fs;
use std::path::{Path, PathBuf};

use conformance_tests::{Damage, Outage, Space};
use session_core::{BoxError, SessionKey};
use session_store_file::{Durability, FileStore};

/// Opens the store of a space. Nothing here takes the machine's power, so nothing is synced.
pub(crate) async fn open(space: Space) -> Result<FileStore, BoxError> {
    let mut store = FileStore::open(place(&space)).await?;
    if let Some(timeout) = space.timeout() {
        store = store.with_timeout(timeout);
    }
    Ok(store.with_clock(space.clock()).with_durability(Durability::Relaxed))
}

/// Takes the lock of the folder that a record is, or would be, in: by what its key is, no other key of a case is in it.
pub(crate) async fn lock(space: Space, key: SessionKey) -> Result<fs::File, BoxError> {
    let record = open(space.clone()).await?.record_path(&key);
    let shard = record.parent().and_then(Path::file_name).ok_or("a record is in a folder")?;
    let path = place(&space).join("locks").join(shard);
    let lock = fs::File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    lock.lock()?;
    Ok(lock)
}

/// Returns the name and the content of every file below the folder.
pub(crate) async fn bytes(space: Space) -> Result<Vec<Vec<u8>>, BoxError> {
    let mut lines = Vec::new();
    show(&place(&space), &mut lines)?;
    Ok(lines.into_iter().map(String::into_bytes).collect())
}

/// Returns each file of a record or of the index with what is in it; locks, the layout's number and the marks of a whole index are
/// no one's.
pub(crate) async fn files(space: Space) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    for part in ["records", "sweep", "owners", "ended", "spare"] {
        show(&place(&space).join(part), &mut lines)?;
    }
    Ok(lines)
}

/// Damages the file of a record; its checksums are left as they are.
pub(crate) async fn damage(space: Space, key: SessionKey, damage: Damage) -> Result<(), BoxError> {
    let path = open(space).await?.record_path(&key);
    let text = fs::read_to_string(&path)?;
    let (head, _) = text.split_once("\n\n").ok_or("no record")?;
    let damaged = match damage {
        Damage::Data(data) => format!("{head}\n\n{data}"),
        _ => text.replacen("file 1", "file 9", 1),
    };
    Ok(fs::write(path, damaged)?)
}

/// Takes the folder away, or brings it back.
pub(crate) async fn outage(space: Space, outage: Outage) -> Result<(), BoxError> {
    let (here, away) = (place(&space), place(&space).with_extension("away"));
    let (from, to) = if outage == Outage::Begin { (here, away) } else { (away, here) };
    Ok(fs::rename(from, to)?)
}

/// Renames the folder away and makes an empty store in its place.
pub(crate) async fn replace(space: Space) -> Result<(), BoxError> {
    fs::rename(place(&space), place(&space).with_extension("replaced"))?;
    FileStore::open(place(&space)).await?;
    Ok(())
}

/// Keeps the folders of the present run, of which there may be several at a time.
pub(crate) fn remove_those_of_earlier_runs() {
    for folder in fs::read_dir(all()).into_iter().flatten().flatten() {
        let age = folder.metadata().and_then(|metadata| metadata.modified()).map(|made| made.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age.as_secs() > 1800)) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

fn all() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("session-store-file")
}

fn show(folder: &Path, lines: &mut Vec<String>) -> Result<(), BoxError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            show(&path, lines)?;
        } else if !path.ends_with("whole") {
            lines.push(format!("{} {}", path.display(), String::from_utf8_lossy(&fs::read(&path)?)));
        }
    }
    Ok(())
}

/// A name that is no plain word becomes a folder's name digit by digit; the store takes a path and has no names.
fn place(space: &Space) -> PathBuf {
    let hex: String = space.namespace().bytes().map(|byte| format!("{byte:02x}")).collect();
    all().join(hex)
}
