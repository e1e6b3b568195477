//! The order of the writes that a loss of power depends on, as the kernel sees it: needs Linux and strace.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use session_core::{BoxError, Clock, Data, Record, SessionKey, SessionStore as _, SystemClock};
use session_store_file::FileStore;

/// Names the folder in which a process of this program does nothing but write.
const FOLDER: &str = "SESSION_STORE_FILE_ORDER_FOLDER";

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return match run(write(Path::new(&folder))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let has_strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|code| code.success());
    // strace is Linux's; elsewhere nothing is missing, and in CI on Linux a tool that is not there is a failure.
    let is_ignored = !has_strace && (std::env::var_os("CI").is_none() || cfg!(not(target_os = "linux")));
    let kind = if is_ignored { "strace is not installed" } else { "strace" };
    let trial = Trial::test("every_write_is_on_the_disk_before_the_next_one_depends_on_it", || {
        trace().map_err(|error| Failed::from(error.to_string()))
    });
    let trial = trial.with_kind(kind).with_ignored_flag(is_ignored);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn run(work: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(work)
}

fn trace() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace");
    let calls = "trace=link,linkat,openat,write,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "40", "-e", calls, "-o"]).arg(&trace).arg(std::env::current_exe()?);
    std::fs::create_dir(folder.path().join("base"))?;
    let traced = strace.env(FOLDER, folder.path().join("base/outer/inner/s")).stderr(Stdio::null()).status()?;
    assert!(traced.success(), "the traced process failed");
    let trace = std::fs::read_to_string(trace)?;

    let open = ["sync records", "sync root", "sync inner", "sync outer", "sync base", "sync root"];
    assert_eq!(events(&trace, "open"), open);
    let create = [
        "make sweep entry",
        "make owner entry",
        "write new",
        "sync new",
        "sync sweep slot",
        "sync sweep day",
        "sync sweep",
        "sync owners of",
        "sync owners",
        "rename new to record",
        "sync shard",
    ];
    assert_eq!(events(&trace, "create"), create);
    assert_eq!(events(&trace, "peer"), create, "a peer does not know what was synced");
    let again = [
        "make sweep entry",
        "make owner entry",
        "write new",
        "sync new",
        "sync sweep slot",
        "sync owners of",
        "rename new to record",
        "sync shard",
    ];
    assert_eq!(events(&trace, "again"), again);
    assert_eq!(events(&trace, "update"), ["write new", "sync new", "rename new to record", "sync shard"]);
    assert_eq!(events(&trace, "touch"), ["write record", "sync record"]);
    let rotate = [
        "make sweep entry",
        "make owner entry",
        "write new",
        "sync new",
        "cut record",
        "write record",
        "sync record",
        // The new record has another first digit.
        "sync sweep slot",
        "sync sweep day",
        "sync sweep",
        "sync owners of",
        "rename record to record",
        "sync shard",
        "sync shard",
        "rename new to record",
        "remove owner entry",
        "remove sweep entry",
    ];
    assert_eq!(events(&trace, "rotate"), rotate);
    assert_eq!(events(&trace, "delete"), ["remove record", "sync shard", "remove owner entry", "remove sweep entry"]);
    Ok(())
}

async fn write(folder: &Path) -> Result<(), BoxError> {
    eprintln!("begin open");
    let store = FileStore::open(folder).await?;
    let (a, b) = (SessionKey::parse("a")?, SessionKey::parse("b")?);
    let now = SystemClock.now();
    let later = now.saturating_add(Duration::from_secs(3600));
    let ada = Record::new(Data::empty(), now, later).with_owner("ada".parse()?);
    eprintln!("begin create");
    let revision = store.create(&a, &ada).await?;
    eprintln!("begin update");
    let revision = store.update(&a, revision, &ada).await?;
    eprintln!("begin touch");
    store.touch(&a, later.saturating_add(Duration::from_secs(1))).await?;
    eprintln!("begin rotate");
    store.rotate(&a, revision, &b, &ada).await?;
    eprintln!("begin delete");
    store.delete(&b).await?;
    eprintln!("begin nothing");
    // A second handle knows no more than a second process.
    let peer = FileStore::open(folder).await?;
    eprintln!("begin peer");
    peer.create(&a, &ada).await?;
    eprintln!("begin nothing");
    peer.delete(&a).await?;
    eprintln!("begin again");
    peer.create(&a, &ada).await?;
    eprintln!("begin nothing");
    Ok(())
}

/// Returns what one call did that matters, in the order of the trace.
fn events(trace: &str, call: &str) -> Vec<String> {
    let begin = format!("\"begin {call}");
    let lines = trace.lines().skip_while(|line| !line.contains(&begin)).skip(1);
    lines.take_while(|line| !line.contains("\"begin ")).filter_map(event).collect()
}

fn event(line: &str) -> Option<String> {
    let (_, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    let is_made = !line.contains(" = -1 ");
    let path = |text: &str| part(text.split(['<', '"']).nth(1)?.split(['>', '"']).next()?);
    match name {
        "link" | "linkat" if is_made => Some(format!("make {}", part(arguments.split('"').nth(3)?)?)),
        "write" => Some(format!("write {}", path(arguments)?)),
        "ftruncate" => Some(format!("cut {}", path(arguments)?)),
        "fsync" | "fdatasync" => Some(format!("sync {}", path(arguments)?)),
        "rename" | "renameat" | "renameat2" => {
            let mut paths = arguments.split('"').skip(1).step_by(2).filter_map(part);
            Some(format!("rename {} to {}", paths.next()?, paths.next()?))
        }
        "unlink" | "unlinkat" => Some(format!("remove {}", part(arguments.split('"').nth(1)?)?)),
        _ => None,
    }
}

/// Says what a path of the store is; `None` for locks and for what is not the store's.
fn part(path: &str) -> Option<&'static str> {
    let Some((_, below)) = path.split_once("/s/") else {
        let above = [("/s", "root"), ("/inner", "inner"), ("/outer", "outer"), ("/base", "base")];
        return above.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, name)| name);
    };
    let parts: Vec<&str> = below.split('/').collect();
    match parts.as_slice() {
        ["records"] => Some("records"),
        ["records", _] => Some("shard"),
        ["records", _, "new"] => Some("new"),
        ["records", _, _] => Some("record"),
        // The marks of a whole index: without one it is made again.
        ["sweep" | "owners", "whole"] => None,
        ["sweep"] => Some("sweep"),
        ["sweep", _] => Some("sweep day"),
        ["sweep", _, _] => Some("sweep slot"),
        ["sweep", _, _, _] => Some("sweep entry"),
        ["owners"] => Some("owners"),
        ["owners", _] => Some("owners of"),
        ["owners", _, _] => Some("owner entry"),
        _ => None,
    }
}
