//! A file as the file store keeps it.

use std::fs;
use std::io::Write as _;

use session_core::{Data, Page, Scope, SessionIndex as _, SessionKey, SessionStore as _};
use session_store_file::{Durability, FileStore};
use tempfile::TempDir;

use crate::record::{self, Head, crc32};
use crate::{line, may_be_answered, wait};

thread_local! {
    static FOLDER: (TempDir, FileStore) = open().expect("there is a temporary folder");
}

fn open() -> Result<(TempDir, FileStore), session_core::BoxError> {
    // In memory where there is such a folder: a file is planted for every input.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let store = wait(FileStore::open(folder.path().join("sessions")))?;
    Ok((folder, store.with_durability(Durability::Relaxed)))
}

/// After a byte `!` the file itself; else its lines, to which the checksums and the length of the data are added.
pub fn file(input: &[u8]) {
    let key = SessionKey::parse("k").expect("a key");
    let (bytes, data) = match input {
        [b'!', bytes @ ..] => (bytes.to_vec(), None),
        _ => {
            let (bytes, data) = summed(input);
            (bytes, Some(data))
        }
    };
    if let Ok(head) = Head::parse(&bytes)
        && let Ok(text) = head.data(&bytes)
        && let Ok(parsed) = Data::parse(text)
    {
        assert!(data.is_none_or(|data| data == text.as_bytes()), "another text is read than was stored");
        let (of, sweep_at) = (head.key.clone(), head.ends.current.sweep_at);
        let (stored, revision) = head.into_record(parsed);
        let again = record::write(&of, &stored, revision, sweep_at);
        let head = Head::parse(&again).expect("what is read can be written");
        assert_eq!((&head.key, head.data(&again).ok()), (&of, Some(stored.data.as_str())));
        let parsed = stored.data.clone();
        assert_eq!(head.into_record(parsed), (stored, revision));
    }
    // A disk is slow: it gets a few.
    if crc32(&[input]) % 256 != 0 {
        return;
    }
    FOLDER.with(|(_, store)| {
        let path = store.record_path(&key);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is ours");
        fs::write(&path, &bytes).expect("the folder is ours");
        wait(async {
            let answer = store.load(&key).await;
            may_be_answered(&answer);
            if let (Ok(Some((record, _))), Some(data)) = (&answer, data) {
                assert_eq!(record.data.as_str().as_bytes(), data);
            }
            may_be_answered(&store.list(Scope::All, &Page::first(3)).await);
            if let Ok(Some((record, revision))) = answer {
                let revision = store.update(&key, revision, &record).await.expect("it is live");
                assert_eq!(store.load(&key).await.expect("it was read"), Some((record, revision)));
            }
            may_be_answered(&store.delete(&key).await);
            assert!(!path.exists(), "a file that is no record cannot be deleted");
        });
    });
}

/// Puts a file together from two lines of ends, the lines of a head up to an empty one, and the data.
fn summed(mut input: &[u8]) -> (Vec<u8>, &[u8]) {
    let version = b"session-store-file 1\n";
    let mut bytes = version.to_vec();
    for _ in 0..2 {
        let times = line(&mut input);
        bytes.extend_from_slice(times);
        let _ = writeln!(bytes, " crc {:08x}", crc32(&[times]));
    }
    let mut head = Vec::new();
    loop {
        match line(&mut input) {
            b"" => break,
            line => head.extend_from_slice(&[line, b"\n"].concat()),
        }
    }
    let _ = writeln!(head, "data {} crc {:08x}", input.len(), crc32(&[input]));
    let crc = crc32(&[version, &head]);
    bytes.extend_from_slice(&head);
    let _ = write!(bytes, "head crc {crc:08x}\n\n");
    bytes.extend_from_slice(input);
    (bytes, input)
}
