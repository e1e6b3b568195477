//! The locks that hold between threads and processes alike, and the threads on which calls run.
//!
//! Every call opens the lock file for itself. Such a lock belongs to the open file and not to the process, so two threads
//! exclude each other in the same way as two processes do. It ends when the file is closed, by whatever end the process
//! takes.
//!
//! No thread waits for a lock. A call that cannot have one gives back those that it has, stands in line for it, and is run
//! again when its turn comes: whenever this process gives the lock back, and every few milliseconds, since another process may
//! have. So a process that is stopped while it holds a lock costs others no threads. Who has stood in line for a lock once
//! may take it before those who wait, or two who need the same two locks would send each other from line to line.
//!
//! Order, so that nobody waits in a circle: the end of all, the setup, the owner's, then shards with rising numbers.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use session_core::{Error, OwnerId, Result};
use tokio::sync::oneshot;

use crate::calls::Disk;
use crate::files::{self, from_io};
use crate::layout::OwnerTag;

/// How many threads a store has at most; they begin when they are needed.
const MOST_THREADS: usize = 64;
/// How many of them may be at work on calls that write: the others are for loads.
const MOST_WRITING: usize = 48;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);
/// How soon, and how often at least, a lock is tried that another process holds.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(16)];

/// What a lock is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LockName {
    /// What was put away by `clear`, until it is removed.
    Ended,
    /// The layout, while parts of it are made or replaced.
    Setup,
    /// The index, while it is made again.
    Index,
    /// About one 256th of the owners.
    Owner(u8),
    /// About one 256th of the records, with their index entries.
    Shard(u8),
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Lock {
    file: Option<File>,
    name: LockName,
    threads: Arc<Threads>,
}

/// Somebody else holds the lock: the cause of the error when that lasts too long.
#[derive(Debug, thiserror::Error)]
#[error("a lock of the store was not given back in time: a process that has it may have been stopped")]
struct Held(LockName);

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.file.take());
        self.threads.released(self.name);
    }
}

impl Disk {
    /// Takes the lock of a shard: alone, its holder writes records of that shard and their index entries.
    pub(crate) fn lock_shard(&self, shard: u8) -> Result<Lock> {
        let lock = self.lock(LockName::Shard(shard))?;
        self.check_place(shard)?;
        Ok(lock)
    }

    /// Takes the lock of a shard for a call that goes through many, and does not begin anew because of one.
    pub(crate) fn lock_shard_patiently(&self, shard: u8) -> Result<Lock> {
        for _ in 0..100 {
            match self.lock_shard(shard) {
                Err(error) if held(&error).is_some() => std::thread::sleep(Duration::from_millis(2)),
                outcome => return outcome,
            }
        }
        self.lock_shard(shard)
    }

    /// Keeps [`lock_owner`](Self::lock_owner) out while a record comes to an owner, in a place that is new to it.
    pub(crate) fn enter_owner(&self, owner: Option<&OwnerId>) -> Result<Option<Lock>> {
        owner.map(|owner| self.take(LockName::Owner(OwnerTag::of(owner).lock()), File::try_lock_shared)).transpose()
    }

    /// Takes the lock of an owner: no record comes to it, so that those it has can be gone through (`OWNER-04`).
    pub(crate) fn lock_owner(&self, owner: &OwnerId) -> Result<Lock> {
        self.lock(LockName::Owner(OwnerTag::of(owner).lock()))
    }

    pub(crate) fn lock(&self, name: LockName) -> Result<Lock> {
        self.take(name, File::try_lock)
    }

    fn take(&self, name: LockName, take: fn(&File) -> Result<(), TryLockError>) -> Result<Lock> {
        if !self.turns.contains(&name) && self.threads.state().lines.contains_key(&name) {
            return Err(Error::unavailable(Held(name)));
        }
        let path = self.layout.lock(&match name {
            LockName::Ended => "ended".to_owned(),
            LockName::Setup => "setup".to_owned(),
            LockName::Index => "index".to_owned(),
            LockName::Owner(number) => format!("owner-{number:02x}"),
            LockName::Shard(number) => format!("{number:02x}"),
        });
        loop {
            let file = match files::open_lock(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.restore()?;
                    files::open_lock(&path)
                }
                outcome => outcome,
            };
            let file = file.map_err(from_io)?;
            match take(&file) {
                // Not one that was removed, for the next caller would take another at that path.
                Ok(()) if files::is_at(&file, &path).map_err(from_io)? => {
                    return Ok(Lock { file: Some(file), name, threads: Arc::clone(&self.threads) });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::unavailable(Held(name))),
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(from_io(error)),
            }
        }
    }
}

/// Returns the lock that a call could not have, if that is why it was refused.
pub(crate) fn held(error: &Error) -> Option<LockName> {
    let Error::Unavailable(cause) = error else { return None };
    cause.downcast_ref::<Held>().map(|held| held.0)
}

/// What a call needs of the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It takes no lock: there is always a thread for it.
    Load,
    Write,
}

/// The threads of a store, and the calls that wait: for a thread, or in line for a lock.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    loads: VecDeque<Job>,
    writes: VecDeque<Job>,
    lines: HashMap<LockName, Line>,
    threads: usize,
    idle: usize,
    writing: usize,
}

/// The calls that wait for one lock, in the order in which they came.
#[derive(Debug)]
struct Line {
    jobs: VecDeque<Job>,
    /// Whether the first one is out to try.
    is_trying: bool,
    pause: Duration,
    next_try: Instant,
}

/// A call, which is run again each time that its turn has come, until it returns no lock to wait for.
struct Job {
    run: Box<dyn FnMut(Option<LockName>) -> Option<LockName> + Send>,
    kind: Kind,
    turn: Option<LockName>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("kind", &self.kind).field("turn", &self.turn).finish_non_exhaustive()
    }
}

/// Runs a call on a thread of the store, whatever becomes of the caller and its runtime once it has begun; one that nobody waits for
/// any more does not begin. Refuses with `Unavailable` if it cannot have its locks in time.
pub(crate) async fn run<T: Send + 'static>(
    mut disk: Disk,
    kind: Kind,
    mut call: impl FnMut(&Disk) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let deadline = Instant::now() + disk.timeout;
    let threads = Arc::clone(&disk.threads);
    let run = move |turn: Option<LockName>| {
        if sender.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return None;
        }
        disk.turns.extend(turn);
        let answer = call(&disk);
        if let Some(name) = answer.as_ref().err().and_then(held).filter(|_| Instant::now() < deadline) {
            return Some(name);
        }
        // Nobody may be there to hear it.
        sender.take().map(|sender| sender.send(answer).ok());
        None
    };
    threads.submit(Job { run: Box::new(run), kind, turn: None });
    drop(threads);
    receiver.await.unwrap_or_else(|_| Err(Error::backend("the call panicked, or the system has no thread for it")))
}

impl Threads {
    fn state(&self) -> MutexGuard<'_, State> {
        // No call runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.queue(job.kind).push_back(job);
        if state.idle > 0 {
            self.work.notify_one();
        }
        if state.loads.len() + state.writes.len() > state.idle && state.threads < MOST_THREADS {
            let threads = Arc::clone(self);
            let begun = std::thread::Builder::new().name("session-files".into()).spawn(move || threads.work());
            state.threads += usize::from(begun.is_ok());
            if state.threads == 0 {
                let unheard = (std::mem::take(&mut state.loads), std::mem::take(&mut state.writes));
                drop(state);
                drop(unheard);
            }
        }
    }

    /// What a thread does: the next call, or nothing for a while, and then it ends.
    fn work(&self) {
        let mut state = self.state();
        loop {
            let wait = state.try_again();
            if let Some(mut job) = state.next() {
                let (turn, is_writing) = (job.turn.take(), job.kind == Kind::Write);
                state.writing += usize::from(is_writing);
                drop(state);
                // A panic reaches the caller as an answer that never comes.
                let held = catch_unwind(AssertUnwindSafe(|| (job.run)(turn))).unwrap_or_default();
                let done = if held.is_some() { Ok(job) } else { Err(job) };
                state = self.state();
                state.writing -= usize::from(is_writing);
                let done = match (held, done) {
                    (Some(name), Ok(job)) => {
                        state.stand_in_line(name, job, turn);
                        None
                    }
                    (_, job) => job.err(),
                };
                if let Some(turn) = turn.filter(|turn| held != Some(*turn)) {
                    state.next_in_line(turn);
                    self.work.notify_one();
                }
                // It may hold locks, whose return asks for the state.
                drop(state);
                drop(done);
                state = self.state();
                continue;
            }
            state.idle += 1;
            let (next, waited) =
                self.work.wait_timeout(state, wait.unwrap_or(IDLE)).unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.idle -= 1;
            if waited.timed_out() && state.lines.is_empty() && state.loads.is_empty() && state.writes.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Lets the first of the line try, now that this process has given the lock back.
    fn released(&self, name: LockName) {
        let mut state = self.state();
        if state.lines.get(&name).is_some_and(|line| !line.is_trying) {
            state.next_in_line(name);
            self.work.notify_one();
        }
    }
}

impl State {
    fn queue(&mut self, kind: Kind) -> &mut VecDeque<Job> {
        if kind == Kind::Load { &mut self.loads } else { &mut self.writes }
    }

    fn next(&mut self) -> Option<Job> {
        let is_free = self.writing < MOST_WRITING;
        self.loads.pop_front().or_else(|| if is_free { self.writes.pop_front() } else { None })
    }

    /// Puts a call in line for a lock: at the end, or back to the front if it was its turn.
    fn stand_in_line(&mut self, name: LockName, job: Job, turn: Option<LockName>) {
        let [pause, longest] = PAUSES;
        let new = || Line { jobs: VecDeque::new(), is_trying: false, pause, next_try: Instant::now() + pause };
        let line = self.lines.entry(name).or_insert_with(new);
        if turn == Some(name) {
            line.jobs.push_front(job);
            line.is_trying = false;
            line.pause = (line.pause * 2).min(longest);
            line.next_try = Instant::now() + line.pause;
        } else {
            line.jobs.push_back(job);
        }
    }

    /// Sends the first of a line to try, or ends the line if nobody is in it.
    fn next_in_line(&mut self, name: LockName) {
        let Some(line) = self.lines.get_mut(&name) else { return };
        line.pause = PAUSES[0];
        match line.jobs.pop_front() {
            Some(mut job) => {
                line.is_trying = true;
                job.turn = Some(name);
                self.queue(job.kind).push_front(job);
            }
            None => drop(self.lines.remove(&name)),
        }
    }

    /// Sends the first of each line whose pause is over to try; returns how long the next pause is.
    fn try_again(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let waiting = |line: &&Line| !line.is_trying;
        let due = self.lines.iter().filter(|(_, line)| waiting(line) && line.next_try <= now);
        for name in due.map(|(name, _)| *name).collect::<Vec<_>>() {
            let pause = self.lines.get(&name).map(|line| line.pause);
            self.next_in_line(name);
            if let (Some(line), Some(pause)) = (self.lines.get_mut(&name), pause) {
                line.pause = pause;
            }
        }
        self.lines.values().filter(waiting).map(|line| line.next_try.saturating_duration_since(now)).min()
    }
}
