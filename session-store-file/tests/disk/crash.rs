//! Kills a process that writes, at random moments, and looks at what it leaves.
//!
//! The child goes through a fixed sequence of steps in each of a few lanes and says when a step was acknowledged. What is
//! stored after a step follows from its number, so after the kill each lane must be as after its last acknowledged
//! step, or as after the next one.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use session_core::{ManualClock, OwnerId, Page, Record, Scope, SessionIndex as _, SessionKey, SessionStore as _};
use session_store_file::{Durability, FileStore};

use crate::child;
use crate::tree::{LATER, at, files_below, key, open, owner, record, stored_files};

const LANES: u64 = 4;
const OWNERS: u64 = 3;

#[tokio::test]
async fn fifty_kills_leave_the_old_record_or_the_new_one() {
    kill_and_look("crash::fifty_kills_leave_the_old_record_or_the_new_one", 50).await;
}

#[tokio::test]
#[ignore = "takes a minute: run with --ignored"]
async fn a_thousand_kills_leave_the_old_record_or_the_new_one() {
    kill_and_look("crash::a_thousand_kills_leave_the_old_record_or_the_new_one", 1000).await;
}

/// What is stored of a lane after a step: nothing after the last one of a round.
///
/// A round: create, update, touch, rotate, update (ends earlier), rotate (same owner), update, delete.
fn state(lane: u64, step: u64) -> Option<(SessionKey, Record)> {
    let phase = step % 8;
    if phase == 7 {
        return None;
    }
    let generation = match phase {
        0..=2 => 0,
        3 | 4 => 1,
        _ => 2,
    };
    let written = if phase == 2 { step - 1 } else { step };
    let pad = "x".repeat(usize::try_from(written * 7919 % 20_000).expect("small"));
    let mut record = record(&format!(r#"{{"lane":{lane},"step":{written},"pad":"{pad}"}}"#));
    record.owner = owner_after(lane, written);
    record.expires_at = match phase {
        2 => at(LATER + 100_000_000),
        4 => at(LATER - 1_000_000_000),
        _ => at(LATER),
    };
    Some((key(&format!("lane{lane}/round{}/{generation}", step / 8)), record))
}

fn owner_after(lane: u64, step: u64) -> Option<OwnerId> {
    // A rotation to the same owner and a login of another one are both in a round.
    let number = if step % 8 == 5 { step - 1 } else { step };
    let number = (lane + number) % (OWNERS + 1);
    (number < OWNERS).then(|| owner(&format!("owner{number}")))
}

/// Takes a lane from after `step` to after the next one.
async fn advance(store: &FileStore, lane: u64, step: u64) {
    let before = state(lane, step);
    let after = state(lane, step + 1);
    let revision = match &before {
        Some((key, _)) => store.load(key).await.expect("readable").map(|(_, revision)| revision),
        None => None,
    };
    match (before, after) {
        (None, Some((key, record))) => drop(store.create(&key, &record).await.expect("created")),
        (Some((key, _)), None) => assert!(store.delete(&key).await.expect("deleted")),
        (Some((old, _)), Some((new, record))) if old != new => {
            store.rotate(&old, revision.expect("live"), &new, &record).await.expect("rotated");
        }
        (Some((key, _)), Some((_, record))) if step % 8 == 1 => {
            store.touch(&key, record.expires_at).await.expect("touched");
        }
        (Some((key, _)), Some((_, record))) => {
            store.update(&key, revision.expect("live"), &record).await.expect("updated");
        }
        (None, None) => unreachable!("no two steps of a round leave nothing"),
    }
}

/// The child: every lane goes on from its step until the process is killed; beside them expired records are swept.
fn write_until_killed(folder: &Path, steps: &str) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(1);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let relaxed = open(folder).await;
        let mut lanes = Vec::new();
        for (lane, step) in (0..).zip(steps.split(',')) {
            // Syncs make other moments likely; one lane in four has them.
            let durability = if lane == 0 { Durability::Full } else { Durability::Relaxed };
            let store = relaxed.clone().with_durability(durability);
            let mut step: u64 = step.parse().expect("a number");
            lanes.push(tokio::spawn(async move {
                loop {
                    advance(&store, lane, step).await;
                    step += 1;
                    // One write of a short line: it arrives whole or not at all.
                    let said = std::io::stdout().write_all(format!("\nstep {lane} {step}\n").as_bytes());
                    said.expect("the parent listens");
                }
            }));
        }
        for number in 0_u64.. {
            let mut expired = record("{}").with_owner(owner("owner0"));
            expired.expires_at = at(1_700_000_000_000 + i64::try_from(number).expect("small"));
            // It may be there from the last life of this process.
            let _ = relaxed.create(&key(&format!("expired{number}")), &expired).await;
            relaxed.delete_expired(2).await.expect("swept");
        }
    });
}

async fn kill_and_look(test: &str, kills: u32) {
    if let Some((folder, steps)) = child::role() {
        return tokio::task::spawn_blocking(move || write_until_killed(&folder, &steps)).await.expect("killed first");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    // After step 7 nothing is stored, as in a new store.
    let mut steps = vec![7; usize::try_from(LANES).expect("small")];
    let mut in_flight = 0;
    for _ in 0..kills {
        let words = steps.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let acknowledged = run_and_kill(test, folder.path(), &words, &mut steps);
        assert!(acknowledged > 0, "the child wrote something before it was killed");
        for (lane, step) in (0..LANES).zip(&mut steps) {
            if !is_stored(&store, lane, *step).await {
                *step += 1;
                in_flight += 1;
                assert!(is_stored(&store, lane, *step).await, "lane {lane} is neither before nor after step {step}");
            }
        }
        check_index(&store, &steps).await;
        while store.delete_expired(1000).await.expect("swept") == 1000 {}
        let staged: Vec<_> = stored_files(folder.path()).into_iter().filter(|path| path.ends_with("new")).collect();
        assert_eq!(staged, [] as [&Path; 0], "no temporary file stays");
        check_index(&store, &steps).await;
    }
    let total: u64 = steps.iter().sum();
    println!("{kills} kills, {total} steps, {in_flight} lanes found after a step that was not acknowledged");

    let late = store.clone().with_clock(ManualClock::new(at(2 * LATER)));
    while late.delete_expired(1000).await.expect("swept") == 1000 {}
    assert!(stored_files(folder.path()).is_empty(), "{:?}", stored_files(folder.path()));
    assert!(files_below(&folder.path().join("records")).is_empty());
}

/// Starts the child, kills it after a random time, and notes the last acknowledged step of each lane.
fn run_and_kill(test: &str, folder: &Path, words: &str, steps: &mut [u64]) -> u32 {
    let mut child = child::command(test, folder, words).stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut acknowledged = 0;
    let mut note = |line: &str| {
        let mut words = line.split_whitespace();
        if words.next() == Some("step") {
            let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a whole line");
            let (lane, step) = (number(), number());
            steps[usize::try_from(lane).expect("small")] = step;
            acknowledged += 1;
        }
    };
    // The time runs from the first acknowledged step, so that every kill hits a process that writes.
    for line in lines.by_ref() {
        note(&line);
        if line.starts_with("step") {
            break;
        }
    }
    std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(0) % 20_000));
    child.kill().expect("it runs until it is killed");
    let status = child.wait().expect("it was started here");
    assert_eq!(status.code(), None, "the child ran until it was killed: {status}");
    lines.for_each(|line| note(&line));
    acknowledged
}

/// Says whether a lane is as after a step, and nothing of it is anywhere else.
async fn is_stored(store: &FileStore, lane: u64, step: u64) -> bool {
    let expected = state(lane, step);
    let mut is_as_expected = true;
    // The next round is looked at too: its first step follows the last one of this round.
    for (round, generation) in
        [0, 1].iter().flat_map(|next| (0..3).map(move |generation| (step / 8 + next, generation)))
    {
        let key = key(&format!("lane{lane}/round{round}/{generation}"));
        let loaded = store.load(&key).await.expect("old or new, never torn");
        let wanted = expected.as_ref().filter(|(expected, _)| *expected == key).map(|(_, record)| record);
        is_as_expected &= loaded.as_ref().map(|(record, _)| record) == wanted;
    }
    is_as_expected
}

/// Checks that the index shows exactly the records of the lanes.
async fn check_index(store: &FileStore, steps: &[u64]) {
    let expected: Vec<_> = (0..LANES).zip(steps).filter_map(|(lane, step)| state(lane, *step)).collect();
    let page = Page::first(1000);
    for number in 0..=OWNERS {
        let owner = owner(&format!("owner{number}"));
        let scope = if number < OWNERS { Scope::Owner(&owner) } else { Scope::All };
        let in_scope = |record: &Record| scope == Scope::All || record.owner.as_ref() == Some(&owner);
        let mut wanted: Vec<_> = expected
            .iter()
            .filter(|(_, record)| in_scope(record))
            .map(|(key, record)| (key, record.expires_at))
            .collect();
        wanted.sort();
        let listing = store.list(scope, &page).await.expect("listed");
        let mut listed: Vec<_> = listing.sessions.iter().map(|session| (&session.key, session.expires_at)).collect();
        listed.sort();
        assert_eq!(listed, wanted, "{scope:?}");
        assert_eq!(store.count(scope).await.ok(), u64::try_from(wanted.len()).ok(), "{scope:?}");
    }
}
