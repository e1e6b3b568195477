//! A case: the proof of one rule.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::bench::Bench;
use crate::check::Outcome;
use crate::hooks::Need;
use crate::stretch::stretched;

type Run = Box<dyn Fn(Bench) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// The time-out that the store's calls have in the cases about waiting, before it is stretched.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// The proof of one rule: a short program that fails on a store that breaks it.
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    pub(crate) needs: &'static [Need],
    pub(crate) run: Run,
}

/// How a case proves its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Calls of the store and what they answer; where the rule speaks of calls at once, tasks that race.
    Calls,
    /// Every interleaving of short programs, compared with a reference model.
    Interleavings,
    /// Stored records are moved into the past.
    Time,
    /// Tasks call as they please, and what they saw is checked for linearizability.
    Histories,
    /// Round trips are counted, and calls are interrupted between them.
    Gaps,
}

impl Level {
    /// Returns the level in a word, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Interleavings => "interleavings",
            Self::Time => "time",
            Self::Histories => "histories",
            Self::Gaps => "gaps",
        }
    }
}

impl Case {
    pub(crate) fn new<F, Fut>(id: &'static str, level: Level, needs: &'static [Need], run: F) -> Self
    where
        F: Fn(Bench) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self { id, level, needs, run: Box::new(move |bench| Box::pin(run(bench))) }
    }

    /// Returns the time-out that the store's calls shall have, if the case is about waiting.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let is_about_waiting = ["OUTAGE", "HELD-02", "GIVEN-UP", "RECOVERY", "RUNTIME"];
        is_about_waiting.iter().any(|section| self.id.starts_with(section)).then(|| stretched(TIMEOUT))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).finish_non_exhaustive()
    }
}
