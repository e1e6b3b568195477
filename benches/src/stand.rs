//! Where a contestant stands while it is measured: its sessions, and slices of time in which tasks call it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::body::Body;
use crate::contestant::Contestant;
use crate::cpu::{self, Server};
use crate::results::Call;

/// How a slice is measured.
#[derive(Debug, Clone)]
pub struct Slice {
    /// How many tasks call at once.
    pub tasks: usize,
    /// How long they call.
    pub time: Duration,
    /// Every how many calls the clock is read, and other tasks get their turn.
    pub stride: u32,
    /// The most sessions that are made in one go, before they are removed again.
    pub most: usize,
    /// Whose processor time counts beside our own.
    pub server: Option<Server>,
}

/// What happened in a slice.
#[derive(Debug, Clone)]
pub struct Sample {
    pub calls: u64,
    pub failures: u64,
    pub wall: Duration,
    pub cpu: Duration,
    pub server_cpu: Duration,
    pub latencies: Histogram<u64>,
}

impl Sample {
    /// Returns a sample of nothing.
    pub fn empty() -> Self {
        let latencies = Histogram::new(3).expect("three digits are allowed");
        let zero = Duration::ZERO;
        Self { calls: 0, failures: 0, wall: zero, cpu: zero, server_cpu: zero, latencies }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.server_cpu += other.server_cpu;
        // Both have three digits and grow by themselves.
        let _ = self.latencies.add(&other.latencies);
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A contestant with its sessions, whatever these are.
pub trait Stand: Send + Sync {
    /// Returns the name that the tables show.
    fn name(&self) -> &str;

    /// Removes the sessions of before and makes some new ones.
    fn prepare<'a>(&'a self, body: &'a Body, count: usize) -> Boxed<'a, Outcome<()>>;

    /// Makes a call over and over; `Create` and `Delete` are measured together, with either.
    fn run<'a>(&'a self, call: Call, body: &'a Body, slice: &'a Slice) -> Boxed<'a, Outcome<Vec<(Call, Sample)>>>;
}

/// Puts a contestant on its stand.
pub fn stand(name: impl Into<String>, contestant: impl Contestant) -> Box<dyn Stand> {
    Box::new(On { name: name.into(), contestant: Arc::new(contestant), sessions: Mutex::default() })
}

struct On<C: Contestant> {
    name: String,
    contestant: Arc<C>,
    sessions: Mutex<Vec<C::Session>>,
}

impl<C: Contestant> Stand for On<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn prepare<'a>(&'a self, body: &'a Body, count: usize) -> Boxed<'a, Outcome<()>> {
        Box::pin(async move {
            let slice = Slice { tasks: 32, time: LONG, stride: 1, most: count, server: None };
            self.all(Call::Delete, body, &slice, self.take()).await?;
            let (made, sessions) = self.all(Call::Create, body, &slice, Vec::new()).await?;
            *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
            if made.failures == 0 { Ok(()) } else { Err(format!("{}: sessions cannot be made", self.name).into()) }
        })
    }

    fn run<'a>(&'a self, call: Call, body: &'a Body, slice: &'a Slice) -> Boxed<'a, Outcome<Vec<(Call, Sample)>>> {
        Box::pin(async move {
            if !matches!(call, Call::Create | Call::Delete) {
                let (sample, sessions) = self.all(call, body, slice, self.take()).await?;
                *self.sessions.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
                return Ok(vec![(call, sample)]);
            }
            let (mut created, mut deleted) = (Sample::empty(), Sample::empty());
            while created.wall < slice.time {
                let rest = Slice { time: slice.time.saturating_sub(created.wall), ..slice.clone() };
                let (sample, sessions) = self.all(Call::Create, body, &rest, Vec::new()).await?;
                created.add(&sample);
                deleted.add(&self.all(Call::Delete, body, &Slice { time: LONG, ..rest }, sessions).await?.0);
            }
            Ok(vec![(Call::Create, created), (Call::Delete, deleted)])
        })
    }
}

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(3600);

impl<C: Contestant> On<C> {
    fn take(&self) -> Vec<C::Session> {
        std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the tasks of a slice make one call, and returns the sessions that there are afterwards.
    async fn all(
        &self,
        call: Call,
        body: &Body,
        slice: &Slice,
        mut sessions: Vec<C::Session>,
    ) -> Outcome<(Sample, Vec<C::Session>)> {
        let body = Arc::new(body.clone());
        let share = sessions.len().div_ceil(slice.tasks);
        let shares: Vec<Vec<C::Session>> =
            (0..slice.tasks).map(|_| sessions.split_off(sessions.len().saturating_sub(share))).collect();
        let used = || (cpu::own(), slice.server.as_ref().map_or(Duration::ZERO, Server::used));
        let (before, start) = (used(), Instant::now());
        let tasks: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let most = slice.most.div_ceil(slice.tasks);
                let work = Work { call, end: start + slice.time, stride: slice.stride, most, sample: Sample::empty() };
                tokio::spawn(work.run(Arc::clone(&self.contestant), Arc::clone(&body), share))
            })
            .collect();
        let mut all = Sample::empty();
        for task in tasks {
            let (sample, share) = task.await?;
            all.add(&sample);
            sessions.extend(share);
        }
        (all.wall, all.cpu, all.server_cpu) = {
            let (wall, after) = (start.elapsed(), used());
            (wall, after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))
        };
        Ok((all, sessions))
    }
}

/// What one task does.
struct Work {
    call: Call,
    end: Instant,
    stride: u32,
    most: usize,
    sample: Sample,
}

impl Work {
    async fn run<C: Contestant>(
        mut self,
        contestant: Arc<C>,
        body: Arc<Body>,
        mut sessions: Vec<C::Session>,
    ) -> (Sample, Vec<C::Session>) {
        // Neighbours in the order of making are no neighbours here: a step that has no divisor in common with most lengths.
        let mut place = 0;
        'all: loop {
            for number in 0..self.stride {
                let is_over = match self.call {
                    Call::Create => sessions.len() >= self.most,
                    _ => sessions.is_empty(),
                };
                let start = (number == 0).then(Instant::now);
                if is_over || start.is_some_and(|start| start >= self.end) {
                    break 'all;
                }
                place = (place + 7919) % sessions.len().max(1);
                let outcome = match self.call {
                    Call::Create => contestant.create(&body).await.map(|session| sessions.push(session)),
                    Call::Load => contestant.load(&sessions[place]).await.and_then(|is_there| match is_there {
                        true => Ok(()),
                        false => Err("a session is not there".into()),
                    }),
                    Call::Update => contestant.update(&mut sessions[place], &body).await,
                    Call::Touch => contestant.touch(&mut sessions[place], &body).await,
                    Call::Delete => contestant.delete(sessions.swap_remove(place)).await,
                };
                match outcome {
                    Ok(()) => self.sample.calls += 1,
                    Err(error) => {
                        if self.sample.failures == 0 {
                            eprintln!("{}: {error}", self.call.name());
                        }
                        self.sample.failures += 1;
                        // Who refuses at once must not spin.
                        if self.call == Call::Create && self.sample.failures > 100 {
                            break 'all;
                        }
                    }
                }
                if let Some(start) = start {
                    // It grows with what it is given.
                    let _ = self.sample.latencies.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
            }
            if self.stride > 1 {
                tokio::task::yield_now().await;
            }
        }
        (self.sample, sessions)
    }
}
