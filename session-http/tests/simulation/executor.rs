//! The world of one run: one generator, a clock that moves only here, and tasks of which the generator chooses the next.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use session_core::{Clock, ManualClock, Timestamp};
use session_http::Timer;

use crate::random::Random;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// More steps than this are not a long run but one that does not end.
const MOST_STEPS: u32 = 200_000;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    begin: Timestamp,
    inner: Mutex<Inner>,
}

struct Inner {
    random: Random,
    spawned: Vec<(usize, Task)>,
    alarms: Vec<(Timestamp, Waker)>,
    /// The request whose task is being polled; 0 for none.
    running: usize,
    trace: Option<Vec<String>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("random", &self.random).finish_non_exhaustive()
    }
}

/// Set when its task can go on.
struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The value that one task leaves for another.
pub(crate) struct Mailbox<T>(Mutex<(Option<T>, Option<Waker>)>);

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((None, None))))
    }

    pub(crate) fn put(&self, value: T) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0 = Some(value);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }

    pub(crate) async fn take(&self) -> T {
        poll_fn(|context| {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.1 = Some(context.waker().clone());
            inner.0.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl World {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Arc<Self> {
        let begin = Timestamp::from_unix_millis(1_767_268_800_000).unwrap_or(Timestamp::MIN);
        let inner = Inner {
            random: Random::new(seed),
            spawned: Vec::new(),
            alarms: Vec::new(),
            running: 0,
            trace: is_traced.then(Vec::new),
        };
        Arc::new(Self { clock: Arc::new(ManualClock::new(begin)), begin, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns how long the run has gone on, in milliseconds.
    pub(crate) fn millis(&self) -> u128 {
        self.now().saturating_since(self.begin).as_millis()
    }

    pub(crate) fn draw<R>(&self, draw: impl FnOnce(&mut Random) -> R) -> R {
        draw(&mut self.inner().random)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.draw(|random| random.below(bound))
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.draw(|random| random.chance(percent))
    }

    /// Hands a task over, which goes on whatever becomes of the one that made it.
    pub(crate) fn spawn(&self, request: usize, task: impl Future<Output = ()> + Send + 'static) {
        self.inner().spawned.push((request, Box::pin(task)));
    }

    /// Returns the request whose task is being polled.
    pub(crate) fn running(&self) -> usize {
        self.inner().running
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.inner().trace.is_none() {
            return;
        }
        let line = line();
        let millis = self.millis();
        if let Some(trace) = &mut self.inner().trace {
            trace.push(format!("{:>5}.{:03} {line}", millis / 1000, millis % 1000));
        }
    }

    pub(crate) fn take_trace(&self) -> Vec<String> {
        self.inner().trace.take().unwrap_or_default()
    }

    /// Lets other tasks run, so many times.
    pub(crate) async fn pause(&self, times: u64) {
        for _ in 0..times {
            let mut is_done = false;
            poll_fn(|context| {
                if std::mem::replace(&mut is_done, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            self.inner().alarms.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Runs until nothing is left to do; an error says why it never will be.
    pub(crate) fn run(&self) -> Result<(), &'static str> {
        let mut tasks: Vec<(usize, Task, Arc<Ready>)> = Vec::new();
        for _ in 0..MOST_STEPS {
            let spawned = std::mem::take(&mut self.inner().spawned);
            let awake = |(request, task)| (request, task, Arc::new(Ready(AtomicBool::new(true))));
            tasks.extend(spawned.into_iter().map(awake));
            if tasks.is_empty() {
                return Ok(());
            }
            self.ring(self.now());
            let is_ready = |(place, (_, _, ready)): (usize, &(usize, Task, Arc<Ready>))| {
                ready.0.load(Ordering::Relaxed).then_some(place)
            };
            let ready: Vec<usize> = tasks.iter().enumerate().filter_map(is_ready).collect();
            if ready.is_empty() {
                let next = self.inner().alarms.iter().map(|(at, _)| *at).min();
                self.clock.set(next.ok_or("every task waits for another")?);
                continue;
            }
            let place = self.draw(|random| *random.pick(&ready));
            let (request, task, flag) = &mut tasks[place];
            flag.0.store(false, Ordering::Relaxed);
            self.inner().running = *request;
            let waker = Waker::from(flag.clone());
            let is_done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            self.inner().running = 0;
            if is_done {
                drop(tasks.swap_remove(place));
            }
            if self.chance(30) {
                self.clock.advance(Duration::from_millis(self.below(20)));
            }
        }
        Err("it does not end")
    }

    fn ring(&self, now: Timestamp) {
        let mut inner = self.inner();
        if inner.alarms.iter().any(|(at, _)| *at <= now) {
            let (due, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut inner.alarms).into_iter().partition(|(at, _)| *at <= now);
            inner.alarms = later;
            drop(inner);
            due.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }
}

/// The library's timer, in the time of the world.
#[derive(Debug, Clone)]
pub(crate) struct VirtualTimer(pub(crate) Arc<World>);

impl Timer for VirtualTimer {
    fn sleep(&self, duration: Duration) -> Task {
        let world = self.0.clone();
        Box::pin(async move { world.sleep(duration).await })
    }
}
