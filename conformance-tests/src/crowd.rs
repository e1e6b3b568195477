//! Many callers of one handle, each with a session of its own, and what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use session_core::{Error, SessionKey, SessionStore};

use crate::bench::{Bench, LONG, key};
use crate::case::TIMEOUT;
use crate::check::{Failure, Outcome, describe, that};
use crate::stretch::stretched;
use crate::together::together;

/// How many callers there are.
pub(crate) const CALLERS: usize = 200;
/// How long after the backend is well every call succeeds.
pub(crate) const RECOVERY: Duration = Duration::from_secs(2);
/// How long after its time-out a caller may hear, where the machine is busy with so many.
pub(crate) const SLACK: Duration = Duration::from_secs(1);
/// The pause of a caller between two calls, so that the load is one that a small machine bears in a debug build.
const PAUSE: Duration = Duration::from_millis(500);
/// When a call is taken for one that never ends.
const NEVER: Duration = Duration::from_secs(20);

/// What a call came to.
#[derive(Debug, Clone)]
enum Came {
    Answer,
    Unavailable(String),
    /// What is stored was not found, or the call was refused as none is that a retry cures.
    Wrong(String),
    NoEnd,
    /// The caller left.
    Left,
}

impl Came {
    fn words(&self) -> &str {
        match self {
            Self::Answer => "it succeeded",
            Self::Unavailable(what) | Self::Wrong(what) => what,
            Self::NoEnd => "there was no end",
            Self::Left => "the caller left",
        }
    }
}

#[derive(Debug, Clone)]
struct Call {
    began: Instant,
    ended: Instant,
    came: Came,
}

/// The callers, at work.
pub(crate) struct Crowd {
    is_over: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<Call>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Stores the sessions of the callers.
pub(crate) async fn sessions(b: &Bench) -> Result<Vec<SessionKey>, Failure> {
    let record = b.long(r#"{"a":1}"#);
    let keys: Vec<SessionKey> = (0..CALLERS).map(|number| key(&format!("caller-{number}"))).collect();
    for some in keys.chunks(20) {
        let creates = some.iter().cloned().map(|k| {
            let (store, record) = (b.peer.clone(), record.clone());
            async move { store.create(&k, &record).await }
        });
        for created in together(creates).await? {
            created?;
        }
    }
    Ok(keys)
}

impl Crowd {
    /// Sets the callers to work: each loads and touches its session, and leaves when its patience ends.
    pub(crate) fn at_work(b: &Bench, keys: &[SessionKey], patience: Option<Duration>) -> Self {
        let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let later = b.now().saturating_add(LONG * 2);
        let tasks = keys.iter().cloned().enumerate().map(|(number, k)| {
            let (store, is_over, calls) = (b.store.clone(), Arc::clone(&is_over), Arc::clone(&calls));
            tokio::spawn(async move {
                // Not all at the same moment.
                tokio::time::sleep(PAUSE * u32::try_from(number).unwrap_or_default() / CALLERS as u32).await;
                for turn in number.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let call =
                        async { if turn % 2 == 0 { store.touch(&k, later).await } else { found(&*store, &k).await } };
                    let call = one(call, patience).await;
                    calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
                    tokio::time::sleep(PAUSE).await;
                }
            })
        });
        Self { tasks: tasks.collect(), is_over, calls }
    }

    /// Sends the callers home, and waits for those that still wait.
    pub(crate) async fn over(self) -> Result<Heard, Failure> {
        self.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.map_err(|error| Failure::new(format!("the store panicked: {error}")))?;
        }
        Ok(Heard { calls: std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner)) })
    }
}

async fn found(store: &dyn SessionStore, k: &SessionKey) -> session_core::Result<()> {
    store.load(k).await?.map(drop).ok_or(Error::NotFound)
}

/// Makes a call and notes what it came to.
async fn one(call: impl Future<Output = session_core::Result<()>>, patience: Option<Duration>) -> Call {
    let began = Instant::now();
    let came = match tokio::time::timeout(patience.unwrap_or(NEVER), call).await {
        Ok(Ok(())) => Came::Answer,
        Ok(Err(error @ Error::Unavailable(_))) => Came::Unavailable(describe(&error)),
        Ok(Err(error)) => Came::Wrong(describe(&error)),
        Err(_) if patience.is_some() => Came::Left,
        Err(_) => Came::NoEnd,
    };
    Call { began, ended: Instant::now(), came }
}

/// What so many callers hear who all call at once, each once.
pub(crate) async fn all_at_once(b: &Bench, keys: &[SessionKey], count: usize) -> Result<Heard, Failure> {
    let calls = (0..count).map(|number| {
        let (store, k) = (b.store.clone(), keys[number % keys.len()].clone());
        async move { one(found(&*store, &k), None).await }
    });
    Ok(Heard { calls: together(calls).await? })
}

/// All that the callers were told.
pub(crate) struct Heard {
    calls: Vec<Call>,
}

impl Heard {
    /// Fails if a caller was told nothing within its time-out, or something wrong.
    pub(crate) fn in_time(&self, slack: Duration) -> Outcome {
        let limit = stretched(TIMEOUT + slack);
        for Call { began, ended, came } in &self.calls {
            if let Came::Wrong(what) = came {
                return Err(Failure::new(format!("a caller whose session is live was told: {what}")));
            }
            let waited = *ended - *began;
            that(
                waited <= limit,
                format!(
                    "a caller waited for {waited:?}{}; the calls have a time-out of {TIMEOUT:?}, which the factory reads from \
                     `Space::timeout`",
                    if matches!(came, Came::NoEnd) { " and heard nothing" } else { "" }
                ),
            )?;
        }
        Ok(())
    }

    /// Fails if a call was refused that began at the moment or later, and unless there was one.
    #[track_caller]
    pub(crate) fn all_succeed_from(&self, moment: Instant, when: &str) -> Outcome {
        let late: Vec<&Call> = self.calls.iter().filter(|call| call.began >= moment).collect();
        let refused: Vec<&&Call> = late.iter().filter(|call| !matches!(call.came, Came::Answer)).collect();
        that(!late.is_empty(), format!("nobody called {when}: the machine is too busy, or the callers still wait"))?;
        match refused.first() {
            None => Ok(()),
            Some(Call { began, ended, came }) => Err(Failure::new(format!(
                "{when} {} of {} calls did not succeed; the first, after {:?}: {}",
                refused.len(),
                late.len(),
                *ended - *began,
                came.words()
            ))),
        }
    }

    /// Returns how many calls were refused.
    pub(crate) fn refused(&self) -> usize {
        self.calls.iter().filter(|call| !matches!(call.came, Came::Answer)).count()
    }
}
