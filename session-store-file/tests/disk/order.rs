//! The order of the writes that a loss of power depends on, as the kernel sees it.

use std::path::Path;
use std::process::Stdio;

use session_core::SessionStore as _;
use session_store_file::FileStore;

use crate::child;
use crate::tree::{LATER, at, key, owner, record};

#[tokio::test]
#[ignore = "needs strace: apt-get install strace, then run with --ignored"]
async fn every_write_is_on_the_disk_before_the_next_one_depends_on_it() {
    if let Some((folder, _)) = child::role() {
        return write(&folder).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let calls = "trace=openat,write,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    let strace = ["strace", "-f", "-y", "-s", "40", "-e", calls, "-o", trace.to_str().expect("plain")];
    let test = "order::every_write_is_on_the_disk_before_the_next_one_depends_on_it";
    let traced = child::command(&strace, test, &folder.path().join("s"), "").stdout(Stdio::null()).status();
    assert!(traced.expect("strace is installed").success());
    let trace = std::fs::read_to_string(trace).expect("strace wrote it");

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
        "sync sweep slot",
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
}

async fn write(folder: &Path) {
    let store = FileStore::open(folder).await.expect("opened");
    let ada = record("{}").with_owner(owner("ada"));
    eprintln!("begin create");
    let revision = store.create(&key("a"), &ada).await.expect("created");
    eprintln!("begin update");
    let revision = store.update(&key("a"), revision, &ada).await.expect("updated");
    eprintln!("begin touch");
    store.touch(&key("a"), at(LATER + 1)).await.expect("touched");
    eprintln!("begin rotate");
    store.rotate(&key("a"), revision, &key("b"), &ada).await.expect("rotated");
    eprintln!("begin delete");
    store.delete(&key("b")).await.expect("deleted");
    eprintln!("begin nothing");
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
        "openat" if arguments.contains("O_CREAT") && is_made => {
            let part = part(arguments.split('"').nth(1)?)?;
            part.ends_with("entry").then(|| format!("make {part}"))
        }
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
    let (_, below) = path.split_once("/s/")?;
    let parts: Vec<&str> = below.split('/').collect();
    match parts.as_slice() {
        ["records", _] => Some("shard"),
        ["records", _, "new"] => Some("new"),
        ["records", _, _] => Some("record"),
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
