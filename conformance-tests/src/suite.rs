//! The suite as a backend's author meets it: a factory, what the harness can do, what is waived; then run.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use session_core::{BoxError, SessionIndex, SessionKey, SessionStore};

use crate::hooks::{Boxed, Damage, Factory, Handle, Hooks, Need, Outage};
use crate::report::Report;
use crate::{Space, process, run};

/// The conformance suite, about to be run on one store.
///
/// A harness says how the store is opened and, one line each, what else it can do; see the
/// [crate's page](crate) for a whole test file. Cases that need what a harness lacks are ignored, with the reason.
#[must_use]
pub struct Suite {
    pub(crate) name: String,
    pub(crate) factory: Factory,
    pub(crate) hooks: Hooks,
    pub(crate) limit: Duration,
    pub(crate) lacks: HashMap<Need, String>,
    pub(crate) waivers: HashMap<&'static str, String>,
    /// Why there is nothing to run the suite on.
    pub(crate) absence: Option<String>,
}

impl Suite {
    /// Makes the suite for a store; `open` opens the store of a namespace, set up and ready.
    ///
    /// `open` is called once or more for every case. A returned error fails the case, except where the case is about
    /// namespaces that a store may refuse.
    pub fn new<S, F, Fut>(name: impl Into<String>, open: F) -> Self
    where
        S: SessionIndex + 'static,
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, BoxError>> + Send + 'static,
    {
        let open = Arc::new(open);
        let indexed = |store: Arc<S>| Handle { store: store.clone(), index: Some(store) };
        let factory = Factory {
            open: {
                let open = Arc::clone(&open);
                Arc::new(move |space| {
                    let opening = open(space);
                    Box::pin(async move { Ok(indexed(Arc::new(opening.await?))) })
                })
            },
            open_pair: None,
        };
        Self::with_factory(name.into(), factory)
    }

    /// Makes the suite for a store that has no index; the cases about the index are ignored.
    pub fn without_index<S, F, Fut>(name: impl Into<String>, open: F) -> Self
    where
        S: SessionStore + 'static,
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, BoxError>> + Send + 'static,
    {
        let open = move |space| -> Boxed<Handle> {
            let opening = open(space);
            Box::pin(async move { Ok(Handle { store: Arc::new(opening.await?), index: None }) })
        };
        Self::with_factory(name.into(), Factory { open: Arc::new(open), open_pair: None }).lacking(Need::Index)
    }

    /// Makes the suite for a store whose server is not there: every case is ignored with the reason.
    ///
    /// Where the environment variable `CI` is set, every case fails instead: there an absent server is a mistake.
    pub fn absent(name: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let said = reason.clone();
        let open = move |_| -> Boxed<Handle> {
            let said = said.clone();
            Box::pin(async move { Err(said.into()) })
        };
        let mut suite = Self::with_factory(name.into(), Factory { open: Arc::new(open), open_pair: None });
        suite.absence = Some(reason);
        suite
    }

    fn with_factory(name: String, factory: Factory) -> Self {
        let hooks = Hooks::default();
        let suite = Self {
            name,
            factory,
            hooks,
            limit: Duration::from_secs(120),
            lacks: HashMap::new(),
            waivers: HashMap::new(),
            absence: None,
        };
        [
            Need::Handles,
            Need::Opening,
            Need::Processes,
            Need::Raw,
            Need::Damage,
            Need::RoundTrips,
            Need::Gaps,
            Need::Outage,
            Need::Lines,
            Need::Lock,
            Need::RecordLock,
            Need::Collection,
            Need::Bytes,
            Need::Work,
            Need::Full,
            Need::Replacement,
        ]
        .into_iter()
        .fold(suite, Self::lacking)
    }

    /// Says that the factory, called again with the same space, opens another handle on the same records.
    ///
    /// True for every store whose records do not live in the handle.
    pub fn reopens(mut self) -> Self {
        let open = Arc::clone(&self.factory.open);
        self.factory.open_pair = Some(Arc::new(move |first, second| {
            let (first, second) = (open(first), open(second));
            Box::pin(async move { Ok((first.await?, second.await?)) })
        }));
        self.having(Need::Handles).having(Need::Opening)
    }

    /// Says that a clone of the handle is a second handle on the same records.
    pub fn shares(mut self) -> Self {
        let open = Arc::clone(&self.factory.open);
        self.factory.open_pair = Some(Arc::new(move |space, _| {
            let first = open(space);
            Box::pin(async move {
                let first = first.await?;
                Ok((first.clone(), first))
            })
        }));
        self.having(Need::Handles)
    }

    /// Says that another process that calls the factory with the same space sees the same records.
    ///
    /// The suite starts its own test binary again as the second process, so the binary's `main` must be the suite.
    pub fn spans_processes(self) -> Self {
        self.having(Need::Processes)
    }

    /// Says that the store does not ask the clock that it is given. Give it a way to [age records](Self::ages) then.
    pub fn without_clock(mut self) -> Self {
        self.hooks.has_other_clock = true;
        let is_aged = self.hooks.age.is_some();
        let suite = self.lacking(Need::Clock);
        if is_aged { suite } else { suite.lacking(Need::Time) }
    }

    /// Gives a way to age a stored record: its `expires_at` moves into the past by the duration, and nothing else
    /// changes. A key under which nothing is stored is not an error.
    pub fn ages<F, Fut>(mut self, age: F) -> Self
    where
        F: Fn(Space, SessionKey, Duration) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.age = Some(Arc::new(move |space, (key, by)| Box::pin(age(space, key, by))));
        self.having(Need::Time)
    }

    /// Gives a view of what the backend keeps for a namespace: a line of text for every row, entry or file.
    ///
    /// An empty namespace may have lines of its own (a table's header, say), as long as they do not change.
    pub fn shows_raw<F, Fut>(mut self, raw: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<String>, BoxError>> + Send + 'static,
    {
        self.hooks.raw = Some(Arc::new(move |space, ()| Box::pin(raw(space))));
        self.having(Need::Raw)
    }

    /// Gives a way to damage a stored record by hand.
    pub fn damages<F, Fut>(mut self, damage: F) -> Self
    where
        F: Fn(Space, SessionKey, Damage) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.damage = Some(Arc::new(move |space, (key, what)| Box::pin(damage(space, key, what))));
        self.having(Need::Damage)
    }

    /// Says that the factory reaches its servers over the space's [lines](Space::lines_to): so round trips are counted and held
    /// up, and outages are made.
    pub fn uses_lines(mut self) -> Self {
        self.hooks.uses_lines = true;
        [Need::RoundTrips, Need::Outage, Need::Lines].into_iter().fold(self.passes_gate(), Self::having)
    }

    /// Says that the store passes the space's [gate](Space::gate) before each round trip, in another way than over its lines.
    pub fn passes_gate(self) -> Self {
        self.having(Need::Gaps)
    }

    /// Gives the number of round trips that the store has made for a namespace so far.
    pub fn counts_round_trips<F, Fut>(mut self, count: F) -> Self
    where
        F: Fn(Space) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, BoxError>> + Send + 'static,
    {
        self.hooks.round_trips = Some(Arc::new(move |space, ()| Box::pin(count(space))));
        self.having(Need::RoundTrips)
    }

    /// Declares how many round trips a call makes, where it is not one; `call` is what the case of `COST-01` calls it:
    /// `create`, `a create that is refused`, `a create over an expired record`, `load`, `a load of nothing`, `update`,
    /// `an update that conflicts`, `an update of nothing`, `touch`, `a touch of nothing`, `rotate`, `a rotation that conflicts`, `delete`,
    /// `a delete of nothing`, `delete_expired`, `list`, `count`, `delete_owned` or `clear`. Another name makes that case fail.
    ///
    /// A call that asks several servers at once makes as many as it happens to need: from the fewest to the most.
    pub fn costs(mut self, call: &'static str, trips: RangeInclusive<u64>) -> Self {
        self.hooks.costs.insert(call, trips);
        self
    }

    /// Declares how many greetings the driver waits for in a row until each of its connections is there again, where four are too few:
    /// it makes them one after the other, or looks at the server first. `RECOVERY-04` waits for so many.
    pub fn greets(mut self, times: u32) -> Self {
        self.hooks.greetings = Some(times);
        self
    }

    /// Gives a way to make the backend of a namespace unavailable, and available again.
    pub fn survives_outage<F, Fut>(mut self, outage: F) -> Self
    where
        F: Fn(Space, Outage) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.outage = Some(Arc::new(move |space, what| Box::pin(outage(space, what))));
        self.having(Need::Outage)
    }

    /// Says that the backend removes expired records by itself at moments of its own, so that a sweep may find less.
    pub fn collects_garbage(mut self) -> Self {
        self.hooks.collects_garbage = true;
        self
    }

    /// Says why the harness lacks an ability, in the words of the backend; shown with the cases that are ignored for it.
    pub fn lacks(mut self, need: Need, reason: impl Into<String>) -> Self {
        self.lacks.insert(need, reason.into());
        self
    }

    /// Waives a SHOULD rule, for a reason that lies in the backend.
    ///
    /// Waiving an unknown rule or a MUST rule makes the suite fail.
    pub fn waives(mut self, rule: &'static str, reason: impl Into<String>) -> Self {
        self.waivers.insert(rule, reason.into());
        self
    }

    /// Sets after how long a case is given up; two minutes by default. With the environment variable
    /// `SESSION_CONFORMANCE_STRETCH` set to a number, this and every other limit of the suite is so many times as long.
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the suite as the `main` of a test with `harness = false`, for `cargo test` and `cargo nextest`.
    ///
    /// The arguments are those of `cargo test`: a filter such as `UPDATE-02` or `ROTATE`, `--list`, `--test-threads`.
    /// With the environment variable `SESSION_CONFORMANCE_REPORT` set to a folder, the report of the cases that ran is also
    /// written there as `<name>.json`.
    #[must_use]
    pub fn main(self) -> ExitCode {
        run::as_test(self)
    }

    /// Runs the suite and returns what happened to each rule.
    ///
    /// Fails when no runtime can be started.
    pub fn report(self) -> Result<Report, BoxError> {
        run::as_report(self, |_| true)
    }

    /// Runs the cases of the rules whose name contains `filter` and returns what happened to each of them.
    pub fn report_of(self, filter: &str) -> Result<Report, BoxError> {
        run::as_report(self, |id| id.contains(filter))
    }

    /// Says whether this process is the second one of a suite, for a test binary that does not end in [`main`](Suite::main)
    /// otherwise: it must then call that, on a suite with the same factory.
    pub fn is_second_process() -> bool {
        process::namespace_to_serve().is_some()
    }

    pub(crate) fn lacking(mut self, need: Need) -> Self {
        self.lacks.insert(need, need.lack().into());
        self
    }

    pub(crate) fn having(mut self, need: Need) -> Self {
        self.lacks.remove(&need);
        self
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).field("lacks", &self.lacks).finish_non_exhaustive()
    }
}
