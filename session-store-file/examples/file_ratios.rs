//! What a call costs, as the ratio to the least that does the same with files.
//!
//!     cargo run --release -p session-store-file --example file_ratios
//!
//! A load is compared with one hop to a blocking thread and one read; an update with one hop, a file beside the old one and a
//! rename over it, in 256 folders, with the same syncs as the store's. The two take turns in one process; a figure is the median
//! of the rounds' ratios, and above 1 the store does more calls in a second.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use session_core::{BoxError, Clock, Data, Record, Revision, SessionKey, SessionStore, SystemClock};
use session_store_file::{Durability, FileStore};

const SESSIONS: usize = 4096;
const ROUNDS: usize = 9;

#[derive(Debug, Clone, Copy)]
enum Call {
    Load,
    Update,
    Touch,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), BoxError> {
    println!("| durability | call | bytes | tasks | store, calls in a second | files | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for durability in [Durability::Relaxed, Durability::Full] {
        for size in [200, 2048, 32_768] {
            let folder = tempfile::tempdir()?;
            let contest = Contest::new(folder.path(), durability, size).await?;
            for call in [Call::Load, Call::Update, Call::Touch] {
                for tasks in [1, 16, 64] {
                    contest.compare(call, tasks).await?;
                }
            }
        }
    }
    Ok(())
}

struct Contest {
    durability: Durability,
    size: usize,
    store: FileStore,
    files: Arc<Files>,
    sessions: Arc<Vec<(SessionKey, Mutex<Revision>)>>,
    record: Record,
}

impl Contest {
    async fn new(folder: &Path, durability: Durability, size: usize) -> Result<Self, BoxError> {
        let now = SystemClock.now();
        let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(size - 11));
        let record = Record::new(Data::parse(data)?, now, now.saturating_add(Duration::from_secs(3600)));
        let store = FileStore::open(folder.join("store")).await?.with_durability(Durability::Relaxed);
        let files = Files::new(&folder.join("files"), durability == Durability::Full)?;
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let key = SessionKey::parse(&format!("session-{number}"))?;
            let revision = store.create(&key, &record).await?;
            files.write(number, record.data.as_str(), false)?;
            sessions.push((key, Mutex::new(revision)));
        }
        let store = store.with_durability(durability);
        Ok(Self { durability, size, store, files: Arc::new(files), sessions: Arc::new(sessions), record })
    }

    async fn compare(&self, call: Call, tasks: usize) -> Result<(), BoxError> {
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let mut pair = [0.0; 2];
            for turn in [round % 2, 1 - round % 2] {
                pair[turn] = self.run(call, tasks, turn == 0, round).await?;
            }
            // The first round warms up.
            if round > 0 {
                rounds.push(pair);
            }
        }
        let median = |value: fn(&[f64; 2]) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (durability, size) = (self.durability, self.size);
        println!(
            "| {durability:?} | {call:?} | {size} | {tasks} | {:.0} | {:.0} | {:.2} |",
            median(|pair| pair[0]),
            median(|pair| pair[1]),
            median(|pair| pair[0] / pair[1]),
        );
        Ok(())
    }

    /// Runs calls in some tasks at once, each with sessions of its own, and returns how many were done in a second.
    async fn run(&self, call: Call, tasks: usize, is_store: bool, round: usize) -> Result<f64, BoxError> {
        let is_slow = self.durability == Durability::Full && !matches!(call, Call::Load);
        let each = if is_slow { 256 } else { 2048 } / tasks.max(4);
        let start = Instant::now();
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let (store, files, sessions) =
                    (self.store.clone(), Arc::clone(&self.files), Arc::clone(&self.sessions));
                let mut record = self.record.clone();
                record.expires_at = record.expires_at.saturating_add(Duration::from_secs(round as u64));
                tokio::spawn(async move {
                    for step in 0..each {
                        let number = (task + step * tasks) % SESSIONS;
                        let (key, revision) = &sessions[number];
                        match (call, is_store) {
                            (Call::Load, true) => drop(store.load(key).await?.ok_or("it is there")?),
                            (Call::Touch, true) => store.touch(key, record.expires_at).await?,
                            (Call::Update, true) => {
                                let expected = *revision.lock().expect("no task panics");
                                let fresh = store.update(key, expected, &record).await?;
                                *revision.lock().expect("no task panics") = fresh;
                            }
                            (call, false) => {
                                let (files, data) = (Arc::clone(&files), record.data.clone());
                                let work = move || match call {
                                    Call::Load => fs::read_to_string(files.path(number)).map(drop),
                                    Call::Touch => files.overwrite(number),
                                    Call::Update => files.write(number, data.as_str(), files.is_synced),
                                };
                                tokio::task::spawn_blocking(work).await??;
                            }
                        }
                    }
                    Ok::<_, BoxError>(())
                })
            })
            .collect();
        for task in running {
            task.await??;
        }
        Ok((tasks * each) as f64 / start.elapsed().as_secs_f64())
    }
}

/// Files in 256 folders, and nothing else.
struct Files {
    folder: PathBuf,
    is_synced: bool,
}

impl Files {
    fn new(folder: &Path, is_synced: bool) -> io::Result<Self> {
        for shard in 0..=u8::MAX {
            fs::create_dir_all(folder.join(format!("{shard:02x}")))?;
        }
        Ok(Self { folder: folder.to_owned(), is_synced })
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{:02x}", number % 256)).join(format!("{number:064}"))
    }

    fn write(&self, number: usize, text: &str, is_synced: bool) -> io::Result<()> {
        let path = self.path(number);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        if is_synced {
            file.sync_all()?;
        }
        fs::rename(new, &path)?;
        if is_synced {
            File::open(path.parent().expect("a folder"))?.sync_all()?;
        }
        Ok(())
    }

    /// Writes a few bytes into a file that is there, as a touch does.
    fn overwrite(&self, number: usize) -> io::Result<()> {
        let mut file = File::options().write(true).open(self.path(number))?;
        file.write_all(br#"{"text":"xxxxxxxxxxxxxxxx"#)?;
        if self.is_synced { file.sync_all() } else { Ok(()) }
    }
}
