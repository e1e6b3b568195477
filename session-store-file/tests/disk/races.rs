//! What comes between the steps of a call: the end of the session, a touch, a rotation.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use session_core::{Clock, Error, ManualClock, Page, Record, Scope, SessionIndex as _, SessionStore as _, Timestamp};
use tokio::runtime::Handle;

use crate::tree::{at, key, open, owner, record, stored_files};

/// When the session of these tests ends.
const END: i64 = 2_000_000;

/// A clock that is a function: a test acts when it is asked.
struct Asked(Mutex<Box<dyn FnMut() -> Timestamp + Send>>);

impl Asked {
    fn new(answer: impl FnMut() -> Timestamp + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(answer)))
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked")
    }
}

impl Clock for Asked {
    fn now(&self) -> Timestamp {
        (self.0.lock().expect("no test panics in its clock"))()
    }
}

fn short() -> Record {
    let mut record = record("{}").with_owner(owner("ada"));
    record.expires_at = at(END);
    record
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = stored_files(folder)
        .into_iter()
        .map(|path| {
            let bytes = fs::read(&path).expect("readable");
            (path, bytes)
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_written_stays_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let revision = store.create(&key("a"), &short()).await.expect("created");
    let before = contents(folder.path());
    // Live when the call looks at it, over when it is about to rename.
    let late = || {
        let mut times = [at(END - 1)].into_iter();
        store.clone().with_clock(Asked::new(move || times.next().unwrap_or(at(END))))
    };
    let renewed = record("{}").with_owner(owner("ada"));
    let updated = late().update(&key("a"), revision, &renewed).await;
    assert!(matches!(updated, Err(Error::NotFound)), "{updated:?}");
    assert!(contents(folder.path()) == before, "the update leaves nothing");
    let rotated = late().rotate(&key("a"), revision, &key("b"), &renewed).await;
    assert!(matches!(rotated, Err(Error::NotFound)), "{rotated:?}");
    assert!(contents(folder.path()) == before, "the rotation leaves nothing");
}

#[tokio::test]
async fn a_session_that_is_renewed_while_it_is_read_is_live() {
    for call in ["load", "list", "count"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path()).await;
        store.create(&key("a"), &short()).await.expect("created");
        let early = store.clone().with_clock(ManualClock::new(at(END - 1)));
        // Whoever asks for the time is so slow that the session is renewed and its first end passes.
        let here = Handle::current();
        let slow = store.with_clock(Asked::new(move || {
            here.block_on(early.touch(&key("a"), at(END + 9))).expect("touched");
            at(END)
        }));
        let shown = match call {
            "load" => slow.load(&key("a")).await.expect("readable").is_some(),
            "list" => slow.list(Scope::All, &Page::first(9)).await.expect("listed").sessions.len() == 1,
            _ => slow.count(Scope::All).await.expect("counted") == 1,
        };
        assert!(shown, "{call}");
    }
}

#[tokio::test]
async fn a_session_of_an_owner_is_listed_and_counted_while_it_is_rotated() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let (name, ada) = (owner("ada"), record("{}").with_owner(owner("ada")));
    let mut revision = store.create(&key("k0"), &ada).await.expect("created");
    let is_over = Cell::new(false);
    let rotate = async {
        for number in 0..1000 {
            let (old, new) = (key(&format!("k{number}")), key(&format!("k{}", number + 1)));
            revision = store.rotate(&old, revision, &new, &ada).await.expect("rotated");
        }
        is_over.set(true);
    };
    let look = async {
        while !is_over.get() {
            assert_eq!(store.count(Scope::Owner(&name)).await.expect("counted"), 1);
            let listing = store.list(Scope::Owner(&name), &Page::first(9)).await.expect("listed");
            assert_eq!(listing.sessions.len(), 1);
        }
    };
    tokio::join!(rotate, look);
}
