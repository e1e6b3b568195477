//! Processor time, of this process and of the server.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Returns the processor time that this process has used.
pub fn own() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

/// The processes of a server on this machine.
#[derive(Debug, Clone)]
pub enum Server {
    /// Those of a database, found by its port.
    Port(String),
    /// One that we have started.
    Process(u32),
}

impl Server {
    /// Finds the server behind a URL. Where there is none on this machine, its time is zero.
    pub fn of_url(url: &str) -> Self {
        let after = url.rsplit(':').next().unwrap_or_default();
        Self::Port(after.chars().take_while(char::is_ascii_digit).collect())
    }

    /// Takes a process that is known.
    pub fn of_process(process: u32) -> Self {
        Self::Process(process)
    }

    /// Returns the processor time that the server has used, all its processes and threads together.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.processes().into_iter().map(nanoseconds).sum())
    }

    /// Returns the processes of the server.
    pub fn processes(&self) -> HashSet<u32> {
        let port = match self {
            Self::Port(port) => port,
            Self::Process(process) => return HashSet::from([*process]),
        };
        let all: Vec<(u32, u32, String)> = processes().collect();
        let is_server = |command: &str| {
            let mut words = command.split('\0');
            let program = words.next().unwrap_or_default();
            // The proxies and clients of the port are no servers.
            let known = ["redis-server", "postgres", "mariadbd", "mongod"];
            known.iter().any(|name| program.contains(name)) && command.contains(port.as_str())
        };
        let mut found: HashSet<u32> =
            all.iter().filter(|(_, _, command)| is_server(command)).map(|(process, _, _)| *process).collect();
        let children: Vec<u32> =
            all.iter().filter(|(_, parent, _)| found.contains(parent)).map(|(process, _, _)| *process).collect();
        found.extend(children);
        found
    }
}

/// Returns every process with its parent and its command line.
fn processes() -> impl Iterator<Item = (u32, u32, String)> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        Some((process, parent, String::from_utf8_lossy(&command).into_owned()))
    })
}

/// Returns how long the threads of a process ran.
fn nanoseconds(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let time = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.filter_map(time).sum()
}
