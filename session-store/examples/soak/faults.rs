//! The servers of the run, and what happens to them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::core::{Clock as _, Data, Record, SessionStore as _, SystemClock};

use crate::client::{Random, fresh_key};
use crate::report::Report;
use crate::{RECOVERY, TIMEOUT};

/// The seed that makes this program another process on the same file or folder, which is held, killed and started again.
pub(crate) const NEIGHBOUR: u64 = u64::MAX;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A process that `scripts/servers` started, and how it is started again.
struct Server {
    pid: u32,
    log: PathBuf,
    command: Vec<String>,
    child: Option<Child>,
}

pub(crate) struct Faults {
    url: String,
    random: Random,
    folder: PathBuf,
    servers: Vec<Server>,
    kinds: Vec<&'static str>,
}

impl Faults {
    pub(crate) fn find(url: &str, seed: u64) -> Outcome<Self> {
        let folder = PathBuf::from(std::env::var("SESSION_TEST_SERVERS_FOLDER")?);
        let mut servers = Vec::new();
        for entry in fs::read_dir(folder.join("served")).into_iter().flatten() {
            let path = entry?.path();
            let pid = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            let text = fs::read_to_string(&path)?;
            let mut words = text.split_terminator('\0').map(str::to_owned);
            let log = words.next().ok_or("a server without a log")?.into();
            servers.push(Server {
                pid: pid.ok_or("a server without a number")?,
                log,
                command: words.collect(),
                child: None,
            });
        }
        if url.starts_with("file:") || url.starts_with("sqlite:") {
            let program = std::env::current_exe()?.display().to_string();
            let command = vec![program, url.to_owned(), "86400".into(), NEIGHBOUR.to_string()];
            let mut server = Server { pid: 0, log: folder.join("log-neighbour"), command, child: None };
            server.start(&folder)?;
            servers.push(server);
        }
        let mut kinds = Vec::new();
        if !servers.is_empty() {
            kinds.extend(["hang", "kill"]);
        }
        let redis = servers.iter().filter(|server| server.is_redis()).count();
        // A replica of Redis whose disk was full may not read its own file any more until somebody mends it.
        if std::env::var_os("SOAK_DISK").is_some() && !url.starts_with("memory:") && redis < 2 {
            kinds.push("disk full");
        }
        if redis > 0 {
            kinds.push("memory full");
        }
        Ok(Self { url: url.to_owned(), random: Random(seed), folder, servers, kinds })
    }

    /// One fault after the other, each followed by some quiet seconds in which every call has to succeed.
    pub(crate) async fn run(&mut self, end: Instant, report: &Arc<Report>) -> Outcome {
        self.quiet(report).await;
        while Instant::now() + Duration::from_secs(12) < end && !self.kinds.is_empty() {
            let kind = self.kinds[self.random.below(self.kinds.len() as u64) as usize];
            let at = self.random.below(self.servers.len().max(1) as u64) as usize;
            let time = Duration::from_millis(300 + self.random.below(8000));
            eprintln!("{kind} for {:.1} s", time.as_secs_f64());
            report.turn(Some(kind));
            match kind {
                "hang" => {
                    self.servers[at].signal("-STOP")?;
                    tokio::time::sleep(time).await;
                    self.servers[at].signal("-CONT")?;
                }
                "kill" => {
                    self.servers[at].signal("-KILL")?;
                    tokio::time::sleep(time).await;
                }
                "disk full" => {
                    let filler = self.folder.join("filler");
                    fill(&filler);
                    tokio::time::sleep(time).await;
                    fs::remove_file(filler)?;
                }
                _ => {
                    self.limit_memory("1")?;
                    tokio::time::sleep(time).await;
                    self.limit_memory("0")?;
                }
            }
            self.heal(report).await?;
            self.quiet(report).await;
        }
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        report.sample();
        report.compare_samples();
        Ok(())
    }

    async fn quiet(&mut self, report: &Report) {
        report.turn(None);
        let time = RECOVERY + TIMEOUT + Duration::from_millis(2000 + self.random.below(4000));
        tokio::time::sleep(time).await;
        report.sample();
    }

    /// Starts what is dead, and waits until a handle that was never in trouble finds everything well.
    async fn heal(&mut self, report: &Report) -> Outcome {
        let start = Instant::now();
        loop {
            for server in &mut self.servers {
                if !server.is_running() {
                    server.start(&self.folder)?;
                }
            }
            let probe = tokio::time::timeout(Duration::from_secs(5), probe(&self.url)).await;
            match probe {
                Ok(Ok(())) => return Ok(()),
                outcome if start.elapsed() > Duration::from_secs(90) => {
                    report.wrong(&format!("the servers are not well after 90 s: {outcome:?}"));
                    return Err("the servers do not come back".into());
                }
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    fn limit_memory(&self, bytes: &str) -> Outcome {
        for server in self.servers.iter().filter(|server| server.is_redis()) {
            let port =
                server.command.iter().skip_while(|word| *word != "--port").nth(1).ok_or("a redis without a port")?;
            let arguments = ["-p", port, "config", "set", "maxmemory", bytes];
            Command::new("redis-cli").args(arguments).stdout(Stdio::null()).status()?;
        }
        Ok(())
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.child.is_some()) {
            _ = server.signal("-KILL");
            _ = server.child.as_mut().map(Child::wait);
        }
    }
}

impl Server {
    fn is_redis(&self) -> bool {
        self.command.iter().any(|word| word.ends_with("redis-server"))
    }

    fn is_running(&mut self) -> bool {
        match &mut self.child {
            Some(child) => child.try_wait().is_ok_and(|ended| ended.is_none()),
            None => stat(self.pid).is_some_and(|(state, _)| state != "Z"),
        }
    }

    fn start(&mut self, folder: &Path) -> Outcome {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        self.pid = child.id();
        self.child = Some(child);
        // So `scripts/servers` ends it too, whatever becomes of this program.
        writeln!(fs::OpenOptions::new().create(true).append(true).open(folder.join("pids"))?, "{}", self.pid)?;
        Ok(())
    }

    /// To the server and all its processes: PostgreSQL's each have a group of their own.
    fn signal(&self, signal: &str) -> Outcome {
        let mut family = vec![self.pid];
        let everybody: Vec<(u32, u32)> = fs::read_dir("/proc")?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?.1)))
            .collect();
        for at in 0.. {
            let Some(parent) = family.get(at).copied() else { break };
            family.extend(everybody.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        }
        Command::new("kill").arg(signal).args(family.iter().map(u32::to_string)).stderr(Stdio::null()).status()?;
        Ok(())
    }
}

/// The state of a process, and its parent.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = text.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

fn fill(path: &Path) {
    let Ok(mut file) = fs::File::create(path) else { return };
    for size in [1 << 20, 4096, 512] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

/// Creates and removes a few sessions, so that every part of a cluster is asked.
async fn probe(url: &str) -> Result<(), String> {
    let opened = session_store::open_closable(url).await.map_err(|error| format!("{error:?}"))?;
    let mut outcome = Ok(());
    for _ in 0..12 {
        let (key, now) = (fresh_key(), SystemClock.now());
        let record = Record::new(Data::empty(), now, now.saturating_add(Duration::from_secs(60)));
        outcome = match opened.store.create(&key, &record).await {
            Ok(_) => opened.store.delete(&key).await.map(drop),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            break;
        }
    }
    opened.close().await;
    outcome.map_err(|error| format!("{error:?}"))
}

pub(crate) async fn be_a_neighbour(url: &str, seconds: u64) -> Outcome {
    let store = session_store::open(url).await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            while Instant::now() < end {
                let (key, now) = (fresh_key(), SystemClock.now());
                let record = Record::new(Data::empty(), now, now.saturating_add(Duration::from_secs(60)));
                _ = store.create(&key, &record).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                _ = store.delete(&key).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await?;
    }
    Ok(())
}
