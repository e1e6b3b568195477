//! A full disk: what ends sessions and frees room works, and what does not is refused and loses nothing. A real one, of three megabytes
//! and in memory, which needs Linux and the right to mount it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{
    BoxError, Data, Error, ManualClock, OwnerId, Record, Scope, SessionIndex as _, SessionKey, SessionStore as _,
    Timestamp,
};
use session_store_file::FileStore;

/// Names the folder on the small disk, to a process of this program.
const FOLDER: &str = "SESSION_STORE_FILE_SMALL_DISK";
/// Ways to a file system of one's own: as root, as a user who may have a name space, as one who may become root.
const WAYS: [&[&str]; 3] = [&["unshare", "-m"], &["unshare", "-rm"], &["sudo", "-n", "unshare", "-m"]];
/// Mounts the disk at `$0` and goes on with the rest.
const MOUNT: &str = "mount -t tmpfs -o size=3m,nr_inodes=5000,mode=0700 none \"$0\" && exec \"$@\"";

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return match runtime.block_on(fill(Path::new(&folder))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let way = WAYS.into_iter().find(|way| {
        on_small_disk(way, |command| {
            command.arg("true");
        })
        .is_ok()
    });
    let is_ignored = way.is_none() && (std::env::var_os("CI").is_none() || cfg!(not(target_os = "linux")));
    let kind = if is_ignored { "no right to mount a disk" } else { "a disk of 3 MB" };
    let trial = Trial::test("a_full_disk_ends_sessions_and_loses_none", move || {
        let program = std::env::current_exe().map_err(|error| Failed::from(error.to_string()))?;
        let way = way.ok_or("no way to mount a disk: as root, by unshare or by sudo")?;
        on_small_disk(way, |command| {
            command.arg(program);
        })
        .map_err(|error| Failed::from(error.to_string()))
    });
    let trial = trial.with_kind(kind).with_ignored_flag(is_ignored);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// Runs a command in a name space in which a small disk is mounted.
fn on_small_disk(way: &[&str], what: impl FnOnce(&mut Command)) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["sh", "-c", MOUNT]).arg(folder.path());
    command.arg("env").arg(format!("{FOLDER}={}", folder.path().display()));
    what(&mut command);
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

/// Leaves no byte and no file that could be made.
fn fill_up(folder: &Path) -> Result<(), BoxError> {
    let mut balloon = File::options().create(true).append(true).open(folder.join("balloon"))?;
    while balloon.write(&[b'x'; 4096]).is_ok_and(|written| written > 0) {}
    for number in 0.. {
        if File::create(folder.join(format!("file{}-{number}", std::process::id()))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn make_room(folder: &Path) -> Result<(), BoxError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn is_refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Result<(), BoxError> {
    match outcome {
        Err(Error::Unavailable(_)) => Ok(()),
        other => Err(format!("on a full disk: {other:?}").into()),
    }
}

async fn fill(disk: &Path) -> Result<(), BoxError> {
    let at = |seconds: i64| Timestamp::from_unix_millis(1_767_268_800_000 + seconds * 1000);
    let key = |name: &str, number: u32| SessionKey::parse(&format!("{name}{number}"));
    let ada = OwnerId::parse("ada")?;
    let clock = Arc::new(ManualClock::new(at(0)?));
    let store = FileStore::open(disk.join("s")).await?.with_clock(clock.clone());
    let record = |seconds| Ok::<_, BoxError>(Record::new(Data::parse(r#"{"a":1}"#)?, at(0)?, at(seconds)?));
    for number in 0..50 {
        // Due before those that have expired, so that the sweep meets them first.
        store.create(&key("renewed", number)?, &record(1000)?).await?;
        store.touch(&key("renewed", number)?, at(900_000)?).await?;
        store.create(&key("expired", number)?, &record(5000)?).await?;
        store.create(&key("owned", number)?, &record(900_000)?.with_owner(ada.clone())).await?;
        store.create(&key("other", number)?, &record(900_000)?).await?;
    }
    let (_, revision) = store.load(&key("other", 0)?).await?.ok_or("it is live")?;
    fill_up(disk)?;
    is_refused(store.create(&key("new", 0)?, &record(9000)?).await)?;
    is_refused(store.update(&key("other", 0)?, revision, &record(9000)?).await)?;
    is_refused(store.rotate(&key("other", 0)?, revision, &key("new", 0)?, &record(9000)?).await)?;
    assert_eq!(store.load(&key("other", 0)?).await?, Some((record(900_000)?, revision)), "as it was");
    assert!(store.load(&key("new", 0)?).await?.is_none());
    store.touch(&key("other", 0)?, at(900_001)?).await?;

    clock.set(at(6000)?);
    assert_eq!(store.delete_expired(1000).await?, 50, "the sweep goes on after what it cannot file again");
    fill_up(disk)?;
    assert!(store.delete(&key("other", 1)?).await?);
    fill_up(disk)?;
    assert_eq!(store.delete_owned(&ada, None).await?, 50);
    assert_eq!(store.count(Scope::All).await?, 99);

    make_room(disk)?;
    let revision = store.update(&key("other", 0)?, revision, &record(800_000)?).await?;
    store.rotate(&key("other", 0)?, revision, &key("new", 0)?, &record(800_000)?).await?;
    fill_up(disk)?;
    assert_eq!(store.clear().await?, 99);
    make_room(disk)?;
    store.create(&key("new", 0)?, &record(900_000)?.with_owner(ada.clone())).await?;
    assert_eq!((store.count(Scope::All).await?, store.count(Scope::Owner(&ada)).await?), (1, 1));
    Ok(())
}
