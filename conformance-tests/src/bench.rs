//! What a case works with: two handles on a namespace of its own, time that it can move, and the hooks.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use session_core::{
    Clock, Data, Error, Listing, ManualClock, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex,
    SessionInfo, SessionKey, SessionStore, Timestamp,
};

use crate::Space;
use crate::case::Case;
use crate::check::{Failure, Outcome, that};
use crate::gate::Gate;
use crate::hooks::{Damage, Factory, Handle, Hooks, Need, Outage};
use crate::process::Process;
use crate::proxy::Proxy;

/// The lifetime of a record that a case lets expire.
pub(crate) const SHORT: Duration = Duration::from_secs(60);
/// The lifetime of a record that a case keeps.
pub(crate) const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// How far a case lets time pass to make short records expire and long ones not.
pub(crate) const PASSING: Duration = Duration::from_secs(120);

/// How a backend is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// As the harness makes it.
    OfItsKind,
    /// Connections end, as with a server that is gone.
    Cut,
    /// Nothing is answered, as with a network that loses packets.
    Silent,
}

/// A handle whose round trips can be held up.
pub(crate) struct Gated {
    pub(crate) handle: Handle,
    pub(crate) gate: Arc<Gate>,
    /// Keeps its lines.
    _space: Space,
}

pub(crate) struct Bench {
    pub(crate) store: Arc<dyn SessionStore>,
    /// A second handle on the same records; the same handle when the harness has no second one.
    pub(crate) peer: Arc<dyn SessionStore>,
    index: Option<Arc<dyn SessionIndex>>,
    peer_index: Option<Arc<dyn SessionIndex>>,
    pub(crate) space: Space,
    /// That of the second handle.
    pub(crate) peer_space: Space,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) factory: Factory,
    pub(crate) hooks: Hooks,
}

impl Bench {
    pub(crate) async fn set_up(case: &Case, factory: &Factory, hooks: &Hooks) -> std::result::Result<Self, Failure> {
        let space = Space::fresh(case);
        let peer_space = space.for_another_handle();
        let (first, second) = match &factory.open_pair {
            Some(open_pair) => open_pair(space.clone(), peer_space.clone()).await?,
            None => {
                let only = (factory.open)(space.clone()).await?;
                (only.clone(), only)
            }
        };
        Ok(Self {
            store: first.store,
            peer: second.store,
            index: first.index,
            peer_index: second.index,
            clock: space.clock(),
            space,
            peer_space,
            factory: factory.clone(),
            hooks: hooks.clone(),
        })
    }

    /// Opens the store of a namespace, or returns why the factory refused.
    pub(crate) async fn open(&self, namespace: &str) -> std::result::Result<Handle, session_core::BoxError> {
        (self.factory.open)(self.space.named(namespace)).await
    }

    /// Starts a second process with a handle on this case's records.
    pub(crate) async fn process(&self) -> std::result::Result<Process, Failure> {
        Ok(Process::start(&self.space).await?)
    }

    pub(crate) fn index(&self) -> std::result::Result<&Arc<dyn SessionIndex>, Failure> {
        self.index.as_ref().ok_or_else(|| Failure::new(Need::Index.lack()))
    }

    /// Returns the index of the first and of the second handle, or nothing when the store has no index.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = &Arc<dyn SessionIndex>> {
        self.index.iter().chain(&self.peer_index)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a record that lives as long as the case.
    pub(crate) fn long(&self, data: &str) -> Record {
        self.lasting(data, LONG)
    }

    /// Makes a record that [`expire_short`](Self::expire_short) ends.
    pub(crate) fn short(&self, data: &str) -> Record {
        self.lasting(data, SHORT)
    }

    pub(crate) fn lasting(&self, data: &str, lifetime: Duration) -> Record {
        Record::new(json(data), self.now(), self.now().saturating_add(lifetime))
    }

    /// Lets the short records among these keys expire, without sweeping: ages them, or moves the clock.
    ///
    /// Other short records may or may not expire; long ones do not.
    pub(crate) async fn expire_short(&self, keys: &[&SessionKey]) -> Outcome {
        if self.ages_records() {
            for &key in keys {
                self.age(key, PASSING).await?;
            }
        } else {
            self.clock.advance(PASSING);
        }
        Ok(())
    }

    /// Says whether records can be made to expire.
    pub(crate) fn time_can_pass(&self) -> bool {
        self.ages_records() || !self.hooks.has_other_clock
    }

    /// Says whether time passes by ageing records, rather than by moving the clock.
    pub(crate) fn ages_records(&self) -> bool {
        self.hooks.age.is_some()
    }

    pub(crate) async fn age(&self, key: &SessionKey, by: Duration) -> Outcome {
        let hook = self.hooks.age.as_ref().ok_or_else(|| Failure::new(Need::Time.lack()))?;
        Ok(hook(self.space.clone(), (key.clone(), by)).await?)
    }

    /// Fails unless a sweep removed as many records as it had to: exactly `wanted`, or at most as many where the
    /// backend collects garbage by itself.
    #[track_caller]
    pub(crate) fn swept(&self, what: &str, removed: u32, wanted: u32) -> Outcome {
        let is_right = removed == wanted || (self.hooks.collects_garbage && removed < wanted);
        that(is_right, format!("{what} removed {removed} records, and not {wanted}"))
    }

    pub(crate) fn collects_garbage(&self) -> bool {
        self.hooks.collects_garbage
    }

    /// Returns everything that the backend keeps for this namespace, sorted.
    pub(crate) async fn raw(&self) -> std::result::Result<Vec<String>, Failure> {
        let hook = self.hooks.raw.as_ref().ok_or_else(|| Failure::new(Need::Raw.lack()))?;
        let mut entries = hook(self.space.clone(), ()).await?;
        entries.sort();
        Ok(entries)
    }

    /// Fails if the backend keeps anything else than `before`; says nothing when the harness cannot look.
    pub(crate) async fn raw_is(&self, before: &Option<Vec<String>>, after: &str) -> Outcome {
        match before {
            Some(before) => {
                let now = self.raw().await?;
                let (more, less) = (beside(&now, before), beside(before, &now));
                let (had, has) = (before.len(), now.len());
                let what = format!(
                    "the backend kept {had} lines before and keeps {has} after {after}; new are {more:?}, gone {less:?}"
                );
                that(now == *before, what)
            }
            None => Ok(()),
        }
    }

    pub(crate) async fn raw_if_possible(&self) -> std::result::Result<Option<Vec<String>>, Failure> {
        if self.hooks.raw.is_some() { self.raw().await.map(Some) } else { Ok(None) }
    }

    pub(crate) async fn damage(&self, key: &SessionKey, damage: Damage) -> Outcome {
        let hook = self.hooks.damage.as_ref().ok_or_else(|| Failure::new(Need::Damage.lack()))?;
        Ok(hook(self.space.clone(), (key.clone(), damage)).await?)
    }

    /// Opens one more handle on this case's records; its round trips pass a gate of their own.
    pub(crate) async fn gated(&self) -> std::result::Result<Gated, Failure> {
        let space = self.space.for_another_handle();
        Ok(Gated { handle: (self.factory.open)(space.clone()).await?, gate: space.gate(), _space: space })
    }

    /// Returns how many round trips the call may make: the fewest and the most.
    pub(crate) fn declared_cost(&self, call: &str) -> RangeInclusive<u64> {
        self.hooks.costs.get(call).cloned().unwrap_or(1..=1)
    }

    /// Returns how many greetings the driver waits for in a row.
    ///
    /// Four: what began to connect while the line was cut has to begin again, and a driver may look at the server over a connection of its
    /// own before it makes the one that the call needs.
    pub(crate) fn greetings(&self) -> u32 {
        self.hooks.greetings.unwrap_or(4)
    }

    /// Returns the names of the calls whose cost is declared.
    pub(crate) fn declared(&self) -> impl Iterator<Item = &'static str> {
        self.hooks.costs.keys().copied()
    }

    /// Returns how many round trips the first handle has made.
    pub(crate) async fn round_trips(&self) -> std::result::Result<u64, Failure> {
        match &self.hooks.round_trips {
            Some(hook) => Ok(hook(self.space.clone(), ()).await?),
            None if self.hooks.uses_lines => Ok(self.space.lines().iter().map(Proxy::round_trips).sum()),
            None => Err(Failure::new(Need::RoundTrips.lack())),
        }
    }

    /// Returns the ways in which the backend can be away.
    pub(crate) fn absences(&self) -> &'static [Absence] {
        if self.hooks.outage.is_some() { &[Absence::OfItsKind] } else { &[Absence::Cut, Absence::Silent] }
    }

    /// Takes the backend away.
    pub(crate) async fn begin_outage(&self, absence: Absence) -> Outcome {
        match (&self.hooks.outage, absence) {
            (Some(hook), _) => Ok(hook(self.space.clone(), Outage::Begin).await?),
            (None, Absence::Silent) => self.on_all_lines(Proxy::silence),
            (None, _) => self.on_all_lines(Proxy::cut),
        }
    }

    pub(crate) async fn end_outage(&self) -> Outcome {
        match &self.hooks.outage {
            Some(hook) => Ok(hook(self.space.clone(), Outage::End).await?),
            None => self.on_all_lines(Proxy::mend),
        }
    }

    fn on_all_lines(&self, change: impl Fn(&Proxy)) -> Outcome {
        for space in [&self.space, &self.peer_space] {
            space.lines().iter().for_each(&change);
        }
        Ok(())
    }

    /// Loads the record, which must be live, and its revision.
    #[track_caller]
    pub(crate) fn live(
        &self,
        key: &SessionKey,
    ) -> impl Future<Output = std::result::Result<(Record, Revision), Failure>> {
        let caller = Failure::new(format!("{key} is not live"));
        async move { self.store.load(key).await?.ok_or(caller) }
    }

    /// Fails unless both handles load exactly this record under the key, and returns its revision.
    #[track_caller]
    pub(crate) fn holds(
        &self,
        key: &SessionKey,
        wanted: &Record,
    ) -> impl Future<Output = std::result::Result<Revision, Failure>> {
        let failure = Failure::new("");
        async move {
            let mut revision = None;
            for (handle, store) in [("first", &self.store), ("second", &self.peer)] {
                match store.load(key).await? {
                    Some((seen, loaded)) if seen == *wanted => revision = Some(loaded),
                    Some((seen, _)) => {
                        let what = difference(&seen, wanted);
                        return Err(failure.saying(format!("{key} holds for the {handle} handle {what}")));
                    }
                    None => return Err(failure.saying(format!("{key} is not live for the {handle} handle"))),
                }
            }
            revision.ok_or(failure)
        }
    }

    /// Fails unless nothing live is under the key, for both handles.
    #[track_caller]
    pub(crate) fn is_gone(&self, key: &SessionKey) -> impl Future<Output = Outcome> {
        let failure = Failure::new("");
        async move {
            for (handle, store) in [("first", &self.store), ("second", &self.peer)] {
                if let Some((record, _)) = store.load(key).await? {
                    let text = record.data.as_str();
                    return Err(failure.saying(format!("{key} is live for the {handle} handle, with {text}")));
                }
            }
            Ok(())
        }
    }
}

/// Returns the lines that are in the one view and not in the other.
fn beside(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|line| !other.contains(line)).map(|line| shortened(line)).collect()
}

/// Says in which fields a record differs from the wanted one.
fn difference(seen: &Record, wanted: &Record) -> String {
    let mut words = Vec::new();
    if seen.data != wanted.data {
        words.push(format!("data {}, and not {}", shortened(seen.data.as_str()), shortened(wanted.data.as_str())));
    }
    if seen.created_at != wanted.created_at {
        words.push(format!("created_at {}, and not {}", seen.created_at, wanted.created_at));
    }
    if seen.expires_at != wanted.expires_at {
        words.push(format!("expires_at {}, and not {}", seen.expires_at, wanted.expires_at));
    }
    if seen.deadline != wanted.deadline {
        words.push(format!("deadline {:?}, and not {:?}", seen.deadline, wanted.deadline));
    }
    if seen.owner != wanted.owner {
        words.push(format!("owner {:?}, and not {:?}", seen.owner, wanted.owner));
    }
    words.join("; ")
}

fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().count() <= MOST { text.into() } else { text.chars().take(MOST).chain("…".chars()).collect() }
}

/// Makes data from the text of a case, with a member more that no log may show, unless it is empty or has that already.
pub(crate) fn json(text: &str) -> Data {
    const SECRET: &str = "a value of a session of the conformance suite";
    match text.strip_suffix('}') {
        Some(members) if text != "{}" && !text.contains(SECRET) => {
            exact(&format!(r#"{members},"~secret":"{SECRET}"}}"#))
        }
        _ => exact(text),
    }
}

/// Makes data of exactly this text.
pub(crate) fn exact(text: &str) -> Data {
    let data = Data::parse(text).expect("the data of a case is a JSON object");
    #[cfg(feature = "traces")]
    crate::traces::keep_data_out(&data);
    data
}

/// Makes a key from the text of a case.
pub(crate) fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).expect("the key of a case is a key")
}

/// Makes an owner from the text of a case.
pub(crate) fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).expect("the owner of a case is an owner")
}

/// Follows a listing to its end.
pub(crate) async fn list_all(index: &dyn SessionIndex, scope: Scope<'_>) -> Result<Vec<SessionInfo>> {
    list_in_pages(index, scope, 50).await
}

/// Follows a listing in pages of `limit` to its end.
pub(crate) async fn list_in_pages(index: &dyn SessionIndex, scope: Scope<'_>, limit: u32) -> Result<Vec<SessionInfo>> {
    const MOST_PAGES: usize = 10_000;
    let mut sessions = Vec::new();
    let mut page = Page::first(limit);
    for _ in 0..MOST_PAGES {
        let Listing { sessions: more, next, .. } = index.list(scope, &page).await?;
        sessions.extend(more);
        match next {
            Some(cursor) => page = Page::first(limit).after(cursor),
            None => {
                sessions.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(sessions);
            }
        }
    }
    Err(Error::backend("the listing does not end"))
}

/// Returns the keys of a listing, sorted.
pub(crate) async fn list_keys(index: &dyn SessionIndex, scope: Scope<'_>) -> Result<Vec<SessionKey>> {
    Ok(list_all(index, scope).await?.into_iter().map(|session| session.key).collect())
}
