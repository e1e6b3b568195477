//! What goes wrong around a store: a lock that nobody gives back, a file that cannot be read, a folder that goes away or is another.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use session_core::{Error, Page, Scope, SessionIndex as _, SessionKey, SessionStore as _};
use session_store_file::FileStore;

use crate::tree::{LATER, at, files_below, key, open, owner, record, stored_files};

/// Keys whose records are in one folder, and the name of its lock.
fn keys_of_one_shard(store: &FileStore, count: usize) -> (Vec<SessionKey>, String) {
    let shard = |key: &SessionKey| {
        let path = store.record_path(key);
        path.parent().and_then(Path::file_name).expect("a record is in a folder").to_string_lossy().into_owned()
    };
    let first = shard(&key("k0"));
    let keys = (0..).map(|number| key(&format!("k{number}"))).filter(|key| shard(key) == first).take(count);
    (keys.collect(), first)
}

fn lock_of(folder: &Path, name: &str) -> File {
    File::options().read(true).write(true).open(folder.join("locks").join(name)).expect("the lock is there")
}

#[test]
fn a_lock_that_is_never_given_back_holds_up_its_own_sessions_and_nothing_else() {
    // As many threads as a small server has, and far fewer than the calls that wait.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(16).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        let store = open(folder.path()).await;
        let (keys, shard) = keys_of_one_shard(&store, 5);
        for key in &keys {
            store.create(key, &record("{}")).await.expect("created");
        }
        let others: Vec<_> = (0..50).map(|number| key(&format!("other{number}"))).collect();
        let others: Vec<_> = others.into_iter().filter(|key| !keys.contains(key)).collect();
        for key in &others {
            store.create(key, &record("{}")).await.expect("created");
        }
        let held = lock_of(folder.path(), &shard);
        held.lock().expect("nobody has it");
        let waiting: Vec<_> = (0..100)
            .map(|number| {
                let (store, key) = (store.clone(), keys[number % keys.len()].clone());
                tokio::spawn(async move { store.touch(&key, at(LATER + 1)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let calls = async {
            for key in others.iter().chain(&keys) {
                assert!(store.load(key).await.expect("readable").is_some());
            }
            assert!(tokio::net::lookup_host("localhost:1").await.is_ok(), "the runtime's own threads are free");
            assert_eq!(store.count(Scope::All).await.ok(), Some(5 + others.len() as u64));
        };
        tokio::time::timeout(Duration::from_secs(4), calls).await.expect("loads need no lock");
        for call in waiting {
            let ended = tokio::time::timeout(Duration::from_secs(20), call).await.expect("each hears in time");
            assert!(matches!(ended.expect("no panic"), Err(Error::Unavailable(_))));
        }
        held.unlock().expect("it was held");
        store.touch(&keys[0], at(LATER + 1)).await.expect("it is free again");
    });
}

#[tokio::test]
async fn an_end_of_all_sessions_holds_nobody_up_while_it_removes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    store.create(&key("a"), &record("{}")).await.expect("created");
    let shard = store.record_path(&key("a")).parent().expect("a folder").to_owned();
    let text = fs::read(store.record_path(&key("a"))).expect("readable");
    for number in 0..20_000 {
        fs::write(shard.join(format!("{number:064x}")), &text).expect("planted");
    }
    let name = shard.file_name().expect("a name").to_string_lossy().into_owned();
    let lock = lock_of(folder.path(), &name);
    let (start, clear) = (Instant::now(), tokio::spawn(async move { store.clear().await }));
    let mut held = Duration::ZERO;
    let mut seen = Instant::now();
    while !clear.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if lock.try_lock().is_ok() {
            lock.unlock().expect("it was taken");
        } else {
            held += seen.elapsed();
        }
        seen = Instant::now();
    }
    let whole = start.elapsed();
    assert_eq!(clear.await.expect("no panic").ok(), Some(1));
    assert!(stored_files(folder.path()).is_empty());
    assert!(held < whole / 4, "a lock was held for {held:?} of {whole:?}");
}

#[tokio::test]
async fn what_was_renamed_away_when_the_process_died_goes_with_the_next_sweep_or_setup() {
    for then in ["sweep", "open", "clear"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path()).await;
        store.create(&key("a"), &record(r#"{"is":"secret"}"#).with_owner(owner("ada"))).await.expect("created");
        for part in ["records", "sweep", "owners"] {
            // The moment after the last rename of `clear`.
            fs::rename(folder.path().join(part), folder.path().join("ended").join(part)).expect("mine");
            fs::rename(folder.path().join("spare").join(part), folder.path().join(part)).expect("mine");
        }
        assert!(store.load(&key("a")).await.expect("gone").is_none());
        match then {
            "sweep" => assert_eq!(store.delete_expired(1).await.ok(), Some(0)),
            "open" => drop(open(folder.path()).await),
            _ => assert_eq!(store.clear().await.ok(), Some(0)),
        }
        for file in files_below(folder.path()) {
            assert!(!fs::read_to_string(&file).unwrap_or_default().contains("secret"), "{then}: {}", file.display());
        }
        store.create(&key("b"), &record("{}")).await.expect("created");
        assert_eq!(store.clear().await.ok(), Some(1), "{then}");
    }
}

#[tokio::test]
async fn one_file_that_cannot_be_read_stops_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let mut expired = record("{}").with_owner(owner("ada"));
    expired.expires_at = at(1_767_268_800_001);
    for number in 0..30 {
        store.create(&key(&format!("e{number}")), &expired).await.expect("created");
        store.create(&key(&format!("l{number}")), &record("{}").with_owner(owner("ada"))).await.expect("created");
    }
    for name in ["e0", "l0"] {
        let path = store.record_path(&key(name));
        fs::remove_file(&path).expect("it was there");
        fs::create_dir(&path).expect("planted");
    }
    for name in ["e1", "l1"] {
        let path = store.record_path(&key(name));
        fs::write(&path, "session-store-file 9\n").expect("planted");
    }
    let unreadable = fs::Permissions::from_mode(0o000);
    for name in ["e2", "l2"] {
        fs::set_permissions(store.record_path(&key(name)), unreadable.clone()).expect("mine");
    }
    let is_root = File::open(store.record_path(&key("l2"))).is_ok();
    let (live, removed) = if is_root { (28, 28) } else { (27, 27) };
    assert_eq!(store.count(Scope::All).await.ok(), Some(live));
    assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(live));
    let listing = store.list(Scope::All, &Page::first(100)).await.expect("listed");
    assert_eq!(listing.sessions.len() as u64, live);
    assert_eq!(store.delete_expired(100).await.ok(), Some(removed));
    assert_eq!(store.delete_expired(100).await.ok(), Some(0));
    for name in ["l0", "l1"] {
        let again = store.create(&key(name), &record("{}")).await;
        assert!(matches!(again, Err(Error::AlreadyExists)), "{name}: {again:?}");
        assert_eq!(store.delete(&key(name)).await.ok(), Some(true), "{name}");
    }
    assert_eq!(
        store.delete_owned(&owner("ada"), None).await.ok(),
        Some(live),
        "those that cannot be read go uncounted"
    );
    assert!(stored_files(folder.path()).is_empty(), "{:?}", stored_files(folder.path()));
}

#[tokio::test]
async fn a_part_of_the_folder_that_was_removed_comes_back() {
    // As by a job that removes what is old and empty below `/tmp`.
    for part in ["records/RECORD", "locks", "sweep", "owners"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path()).await;
        let shard = store.record_path(&key("a"));
        let shard = shard.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        fs::remove_dir_all(folder.path().join(part.replace("RECORD", &shard))).expect("it was there");
        assert!(store.load(&key("a")).await.expect("absent").is_none(), "{part}");
        store.create(&key("a"), &record("{}").with_owner(owner("ada"))).await.expect(part);
        assert_eq!(store.count(Scope::Owner(&owner("ada"))).await.ok(), Some(1), "{part}");
        assert_eq!(store.delete_expired(1).await.ok(), Some(0), "{part}");
        assert_eq!(store.clear().await.ok(), Some(1), "{part}");
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_store_is_looked_at_before_it_is_believed() {
    let parent = tempfile::tempdir().expect("a folder");
    let path = |name: &str| parent.path().join(name);
    let store = open(&path("s")).await;
    store.create(&key("a"), &record("{}")).await.expect("created");
    fs::rename(path("s"), path("first")).expect("mine");

    // Nothing but a mount point.
    fs::create_dir(path("s")).expect("mine");
    assert!(matches!(store.load(&key("a")).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.create(&key("a"), &record("{}")).await, Err(Error::Unavailable(_))));
    fs::remove_dir(path("s")).expect("no call makes anything there");

    // Another store: the new truth, in reading and in writing.
    open(&path("second")).await.create(&key("b"), &record("{}")).await.expect("created");
    fs::rename(path("second"), path("s")).expect("mine");
    assert!(store.load(&key("a")).await.expect("readable").is_none());
    assert!(store.load(&key("b")).await.expect("readable").is_some());
    assert!(store.delete(&key("b")).await.expect("deleted"));

    // One that everybody may write to, with a session that somebody forged.
    fs::rename(path("s"), path("second")).expect("mine");
    open(&path("forged")).await.create(&key("f"), &record("{}")).await.expect("created");
    fs::rename(path("forged"), path("s")).expect("mine");
    fs::set_permissions(path("s"), fs::Permissions::from_mode(0o777)).expect("mine");
    let loaded = store.load(&key("f")).await;
    assert!(matches!(loaded, Err(Error::Backend(_))), "{loaded:?}");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_folder_is_not_followed_under_a_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, other) = (open(&folder.path().join("s")).await, open(&folder.path().join("other")).await);
    other.create(&key("a"), &record("{}")).await.expect("created");
    let shard = store.record_path(&key("a")).parent().expect("a folder").to_owned();
    let forged = other.record_path(&key("a")).parent().expect("a folder").to_owned();
    fs::remove_dir(&shard).expect("it is empty");
    symlink(&forged, &shard).expect("planted");
    let loaded = store.load(&key("a")).await;
    assert!(matches!(loaded, Err(Error::Backend(_))), "{loaded:?}");
    let written = store.create(&key("a"), &record("{}")).await;
    assert!(matches!(written, Err(Error::Backend(_))), "{written:?}");
}

#[tokio::test]
async fn a_folder_of_another_user_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    // Root gives a folder away; anybody else is offered one of root's.
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).expect("mine");
    let given = std::os::unix::fs::chown(&theirs, Some(65533), None);
    let theirs = if given.is_ok() { theirs } else { PathBuf::from("/usr") };
    let error = FileStore::open(&theirs).await.expect_err("it belongs to another user");
    let Error::Backend(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("another user"), "{cause}");
}

#[tokio::test]
async fn a_folder_that_a_group_may_write_to_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).expect("mine");
    assert!(matches!(FileStore::open(folder.path()).await, Err(Error::Backend(_))));
}

#[tokio::test]
async fn an_index_that_is_lost_is_there_again_when_the_store_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    for number in 0..2000 {
        store.create(&key(&format!("k{number}")), &record("{}").with_owner(owner("ada"))).await.expect("created");
    }
    fs::remove_dir_all(folder.path().join("owners")).expect("it was there");
    let store = open(folder.path()).await;
    assert_eq!(store.delete_owned(&owner("ada"), None).await.ok(), Some(2000));
    assert_eq!(store.count(Scope::All).await.ok(), Some(0));
}

#[test]
fn a_store_is_used_from_two_runtimes_of_which_one_stands_still() {
    let folder = tempfile::tempdir().expect("a folder");
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (still, other) = (new(), new());
    let store = still.block_on(open(folder.path()));
    let (keys, shard) = keys_of_one_shard(&store, 5);
    still.block_on(store.create(&keys[0], &record("{}"))).expect("created");
    let held = lock_of(folder.path(), &shard);
    held.lock().expect("nobody has it");
    // A call that waits for the lock when its runtime stops to run.
    still.block_on(async {
        let waiting = {
            let (store, key) = (store.clone(), keys[0].clone());
            async move { store.touch(&key, at(LATER + 1)).await }
        };
        tokio::spawn(waiting);
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    held.unlock().expect("it was held");
    other.block_on(async {
        let calls = async {
            for key in &keys[1..] {
                store.create(key, &record("{}")).await.expect("created");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), calls).await.expect("nothing waits for the other runtime");
    });
    drop(still);
    other.block_on(store.delete(&keys[0])).expect("deleted");
}
