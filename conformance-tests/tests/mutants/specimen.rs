//! A store that keeps every rule, unless it is told to break one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use conformance_tests::{Gate, Space};
use session_core::{
    Clock, Cursor, Error, Listing, ManualClock, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex,
    SessionKey, SessionStore, Timestamp,
};

use crate::fault::Fault;
use crate::state::{How, State};

/// Held by whoever writes to a row, and by a case that wants to hold them up.
pub(crate) type Lock = Arc<tokio::sync::Mutex<()>>;

/// The backend of one case: its namespaces, in memory or in a file that processes share.
#[derive(Debug, Default)]
pub(crate) struct World {
    namespaces: Mutex<HashMap<String, State>>,
    pub(crate) trips: AtomicU64,
    /// Who writes to one of these, by namespace and name, waits.
    locks: Mutex<HashMap<(String, String), Lock>>,
    /// Where the namespaces are written after every call, and read before it.
    file: Option<PathBuf>,
    /// How many writes a faulty process keeps to itself before it writes the file.
    unwritten: AtomicU64,
    is_read: AtomicBool,
}

impl World {
    pub(crate) fn in_file(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// Returns the lock of a row.
    pub(crate) fn lock_of(&self, namespace: &str, name: &str) -> Lock {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry((namespace.to_owned(), name.to_owned())).or_default())
    }

    /// Waits until nobody has a lock.
    pub(crate) async fn wait_for_all(&self) {
        let locks: Vec<Lock> = self.locks.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for lock in locks {
            drop(lock.lock().await);
        }
    }

    /// Runs one step on the namespaces, as one transaction.
    pub(crate) fn step<T>(&self, fault: Fault, step: impl FnOnce(&mut HashMap<String, State>) -> T) -> T {
        let mut namespaces: MutexGuard<'_, _> = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.file else { return step(&mut namespaces) };
        let lock = std::fs::File::create(path.with_extension("lock")).expect("the test's folder can be written");
        lock.lock().expect("the test's file system has locks");
        let is_stale = fault == Fault::ProcessesCacheEverything && self.is_read.swap(true, Ordering::Relaxed);
        let is_ahead = self.unwritten.load(Ordering::Relaxed) > 0;
        if let (false, false, Ok(text)) = (is_stale, is_ahead, std::fs::read_to_string(path)) {
            *namespaces = serde_json::from_str(&text).expect("the specimen wrote it");
        }
        let answer = step(&mut namespaces);
        let held_back = self.unwritten.fetch_add(1, Ordering::Relaxed) + 1;
        if fault != Fault::WritesAreBuffered || held_back == 16 {
            self.unwritten.store(0, Ordering::Relaxed);
            let text = serde_json::to_string(&*namespaces).expect("the state is plain data");
            std::fs::write(path, text).expect("the test's folder can be written");
        }
        answer
    }
}

#[derive(Debug)]
pub(crate) struct Specimen {
    world: Arc<World>,
    namespace: String,
    clock: Arc<ManualClock>,
    gate: Arc<Gate>,
    fault: Fault,
    cache: Mutex<HashMap<String, (Record, Revision)>>,
    is_broken: AtomicBool,
    timeout: Option<Duration>,
    /// What a faulty one keeps of each call until its lock is had.
    places: Arc<tokio::sync::Semaphore>,
    /// How often the namespace had been replaced when this handle was opened, and what a faulty one has instead.
    age: u64,
    old: Mutex<State>,
    /// That of the first caller.
    runtime: Option<tokio::runtime::Handle>,
}

impl Specimen {
    pub(crate) fn open(world: Arc<World>, space: &Space, fault: Fault) -> Self {
        let namespace = match fault {
            Fault::NamespacesIgnoreCase => space.namespace().to_lowercase(),
            Fault::NamespacesAreCleanedUp => space.namespace().replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
            _ => space.namespace().to_owned(),
        };
        let (clock, gate) = (space.clock(), space.gate());
        let (cache, is_broken) = (Mutex::default(), AtomicBool::new(false));
        let (timeout, places) = (space.timeout(), Arc::new(tokio::sync::Semaphore::new(10)));
        let runtime = tokio::runtime::Handle::try_current().ok();
        let age = world.step(fault, |namespaces| namespaces.get(&namespace).map_or(0, |state| state.age));
        let old = Mutex::default();
        let specimen =
            Self { world, namespace, clock, gate, fault, cache, is_broken, timeout, places, age, old, runtime };
        if fault == Fault::OpeningEmpties {
            specimen.world.step(fault, |namespaces| namespaces.remove(&specimen.namespace));
        }
        specimen
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn how(&self) -> How {
        How { fault: self.fault, now: self.clock.now().unix_millis() }
    }

    fn name(&self, key: &SessionKey) -> String {
        self.how().name(key)
    }

    /// Makes one round trip.
    async fn trip<T: Send>(&self, call: impl FnOnce(How, &mut State) -> Result<T> + Send) -> Result<T> {
        self.gate.pass().await;
        if let (true, Some(runtime)) = (self.has(Fault::LivesInTheFirstRuntime), &self.runtime) {
            runtime.spawn(async {}).await.map_err(Error::unavailable)?;
        }
        self.world.trips.fetch_add(1, Ordering::Relaxed);
        self.step(call)
    }

    fn step<T>(&self, call: impl FnOnce(How, &mut State) -> Result<T>) -> Result<T> {
        self.world.step(self.fault, |namespaces| {
            let state = namespaces.entry(self.namespace.clone()).or_default();
            if state.is_down || self.is_broken.load(Ordering::Relaxed) {
                self.is_broken.store(self.has(Fault::OutageIsForEver), Ordering::Relaxed);
                return Err(Error::unavailable("the backend is away"));
            }
            if self.has(Fault::HandlesKeepWhatWasReplaced) && state.age != self.age {
                // As a handle does that has the file open that was renamed.
                let mut old = self.old.lock().unwrap_or_else(PoisonError::into_inner);
                return call(self.how(), &mut old);
            }
            call(self.how(), state)
        })
    }

    /// Makes one round trip about a row, which waits as long as somebody else has the row's lock.
    async fn trip_on<T: Send>(&self, name: &str, call: impl FnOnce(How, &mut State) -> Result<T> + Send) -> Result<T> {
        let early = self.how();
        let lock = self.world.lock_of(&self.namespace, name);
        let waiting = async {
            if !self.has(Fault::KeepsThePlacesOfThoseWhoLeft) {
                return Some(lock.lock_owned().await);
            }
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let waiting = tokio::spawn(async move {
                let lock = lock.lock_owned().await;
                drop(place);
                lock
            });
            waiting.await.ok()
        };
        let _lock = match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, waiting).await.map_err(Error::unavailable)?,
            None => waiting.await,
        };
        self.trip(|how, state| call(if how.has(Fault::ClockIsReadBeforeTheWait) { early } else { how }, state)).await
    }

    /// Makes one round trip that reaches the other namespaces of the backend too.
    async fn trip_and_beyond<T>(
        &self,
        here: impl FnOnce(How, &mut State) -> Result<T> + Send,
        beyond: impl Fn(How, &mut State) + Send,
    ) -> Result<T> {
        self.trip(|_, _| Ok(())).await?;
        self.world.step(self.fault, |namespaces| {
            let answer = here(self.how(), namespaces.entry(self.namespace.clone()).or_default());
            let others = namespaces.iter_mut().filter(|(name, _)| **name != self.namespace);
            others.for_each(|(_, state)| beyond(self.how(), state));
            answer
        })
    }

    /// Gives way to other tasks in the middle of a call, as a faulty store does between its two round trips.
    async fn gap(&self) {
        for _ in 0..24 {
            tokio::task::yield_now().await;
        }
    }

    /// Takes the row out, gives way, and puts it back.
    async fn take_out(&self, key: &SessionKey) -> Result<()> {
        if self.has(Fault::TouchTakesTheRecordOut) {
            let name = self.name(key);
            if let Some(row) = self.trip(|_, state| Ok(state.remove(&name))).await? {
                tokio::task::yield_now().await;
                self.trip(|_, state| {
                    state.insert(name, row);
                    Ok(())
                })
                .await?;
            }
        }
        Ok(())
    }

    fn cached(&self) -> MutexGuard<'_, HashMap<String, (Record, Revision)>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for Specimen {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        let name = self.name(key);
        let found = self.step(|how, state| Ok((state.live(how, &name).is_some(), state.rows.contains_key(&name))))?;
        let in_two_steps = match self.fault {
            Fault::CreateChecksThenInserts => found == (false, false),
            Fault::CreateOverExpiredChecksThenWrites => found == (false, true),
            _ => false,
        };
        if in_two_steps {
            self.gap().await;
            return self
                .trip(|how, state| {
                    state.remove(&name);
                    state.create(how, &name, record)
                })
                .await;
        }
        self.trip(|how, state| state.create(how, &name, record)).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let name = self.name(key);
        let cached = self.cached().get(&name).filter(|(record, _)| record.is_live(self.clock.now())).cloned();
        if self.has(Fault::HandlesCacheLoads) && cached.is_some() {
            return Ok(cached);
        }
        if self.has(Fault::LoadMakesTwoTrips) {
            self.trip(|_, _| Ok(())).await?;
        }
        let loaded = match self.trip(|how, state| state.load(how, &name)).await {
            Err(Error::Unavailable(_)) if self.has(Fault::OutageIsAbsence) => None,
            answer => answer?,
        };
        if let (true, Some(loaded)) = (self.has(Fault::HandlesCacheLoads), &loaded) {
            self.cached().insert(name, loaded.clone());
        }
        Ok(loaded)
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let name = self.name(key);
        if self.has(Fault::UpdateComparesThenWrites) {
            let stored = self.trip(|how, state| Ok(state.live(how, &name).map(|row| row.revision))).await?;
            self.gap().await;
            let is_same = stored == Some(expected.number());
            return self
                .trip(|how, state| {
                    let now_stored = state.live(how, &name).map(|row| Revision::from_number(row.revision));
                    state.update(how, &name, now_stored.filter(|_| is_same).unwrap_or(expected), record)
                })
                .await;
        }
        if self.has(Fault::UpdateFilesLater) {
            let (revision, owner) = self
                .trip(|how, state| {
                    let revision = state.update(how, &name, expected, record)?;
                    Ok((revision, state.rows.get_mut(&name).and_then(|row| row.indexed.take())))
                })
                .await?;
            let file = |row: &mut crate::state::Row| row.indexed = owner;
            return self.trip(|_, state| Ok(state.rows.get_mut(&name).map(file))).await.map(|_| revision);
        }
        self.cached().remove(&name);
        if self.has(Fault::UpdateReachesEveryNamespace) {
            let beyond = |how: How, state: &mut State| {
                if let Some(revision) = state.live(how, &name).map(|row| Revision::from_number(row.revision)) {
                    let _ = state.update(how, &name, revision, record);
                }
            };
            return self.trip_and_beyond(|how, state| state.update(how, &name, expected, record), beyond).await;
        }
        self.trip_on(&name, |how, state| state.update(how, &name, expected, record)).await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        if self.has(Fault::NeverAnswersAnEarlierTouch) {
            let name = self.name(key);
            let is_earlier = |row: &crate::state::Row| row.expires_at > expires_at.unix_millis();
            if self.trip(|how, state| Ok(state.live(how, &name).is_some_and(is_earlier))).await? {
                std::future::pending::<()>().await;
            }
        }
        self.take_out(key).await?;
        self.cached().remove(&self.name(key));
        let touch = |how: How, state: &mut State| state.touch(how, &self.name(key), expires_at);
        if self.has(Fault::TouchReachesEveryNamespace) {
            return self.trip_and_beyond(touch, |how, state| drop(touch(how, state))).await;
        }
        self.trip_on(&self.name(key), touch).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let (old, new) = (self.name(old), self.name(new));
        if self.has(Fault::RotateReadsThenWrites) {
            // A copy is made first, and the original removed later.
            let revision = self
                .trip(|how, state| {
                    let row = state.rows.get(&old).cloned();
                    let revision = state.rotate(how, &old, expected, &new, record)?;
                    row.into_iter().for_each(|row| state.insert(old.clone(), row));
                    Ok(revision)
                })
                .await?;
            self.gap().await;
            self.trip(|_, state| Ok(state.remove(&old))).await?;
            return Ok(revision);
        }
        if self.has(Fault::RotateHidesNewForAMoment) {
            // The old key is dead first, and for a moment so is the new one.
            let revision = self.trip(|how, state| state.rotate(how, &old, expected, &new, record)).await?;
            let moved = self.trip(|_, state| Ok(state.remove(&new))).await?;
            tokio::task::yield_now().await;
            self.trip(|_, state| {
                moved.into_iter().for_each(|row| state.insert(new.clone(), row));
                Ok(())
            })
            .await?;
            return Ok(revision);
        }
        self.cached().remove(&old);
        let rotate = |how: How, state: &mut State| state.rotate(how, &old, expected, &new, record);
        if self.has(Fault::RotateReachesEveryNamespace) {
            return self.trip_and_beyond(rotate, |_, state| drop(state.remove(&old))).await;
        }
        self.trip_on(&old, rotate).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        self.cached().remove(&self.name(key));
        if self.has(Fault::DeleteNeedsRoom) {
            self.trip(|_, state| state.needs_room()).await?;
        }
        let delete = |how: How, state: &mut State| state.delete(how, &self.name(key));
        if self.has(Fault::DeleteReachesEveryNamespace) {
            return self
                .trip_and_beyond(|how, state| Ok(delete(how, state)), |how, state| _ = delete(how, state))
                .await;
        }
        self.trip_on(&self.name(key), |how, state| Ok(delete(how, state))).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        match self.fault {
            Fault::SweepNeedsRoom => {
                self.trip(|how, state| {
                    state.needs_room()?;
                    state.sweep(how, limit)
                })
                .await
            }
            Fault::SweepReachesEveryNamespace => {
                let sweep = |how: How, state: &mut State| state.sweep(how, limit);
                self.trip_and_beyond(sweep, |how, state| drop(state.sweep(how, limit))).await
            }
            Fault::SweepDecidesThenDeletes => {
                let names = self.trip(|how, state| Ok(state.expired(how, limit))).await?;
                self.gap().await;
                self.trip(|_, state| Ok(names.iter().filter(|name| state.remove(name).is_some()).count() as u32)).await
            }
            _ => self.trip(|how, state| state.sweep(how, limit)).await,
        }
    }
}

#[async_trait]
impl SessionIndex for Specimen {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let owner = if let Scope::Owner(owner) = scope { Some(owner) } else { None };
        let limit = if self.has(Fault::ListIgnoresLimit) { usize::MAX } else { page.limit() as usize };
        let mut sessions = self.trip(|how, state| state.listed(how, owner)).await?;
        let after = page.cursor().map(|cursor| cursor.as_str().to_owned());
        if self.has(Fault::ListPagesByOffset) {
            let start = after.and_then(|text| text.parse().ok()).unwrap_or(0_usize);
            let rest: Vec<_> = sessions.into_iter().skip(start).collect();
            let next = (rest.len() > limit).then(|| Cursor::new((start + limit).to_string()));
            return Ok(Listing::new(rest.into_iter().take(limit).collect(), next));
        }
        sessions.retain(|session| after.as_ref().is_none_or(|after| session.key.as_str() > after.as_str()));
        let has_more = sessions.len() > limit;
        sessions.truncate(limit);
        let last = sessions.last().filter(|_| has_more).map(|last| last.key.as_str());
        let next = last.map(|last| match last.split_once('%') {
            Some((cut, _)) if self.has(Fault::CursorsEndAtPercent) => Cursor::new(cut),
            _ => Cursor::new(last),
        });
        Ok(Listing::new(sessions, next))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let owner = if let Scope::Owner(owner) = scope { Some(owner) } else { None };
        self.trip(|how, state| {
            let all = how.has(Fault::CountCountsExpired).then_some(How { now: i64::MIN, ..how });
            Ok(state.listed(all.unwrap_or(how), owner)?.len() as u64)
        })
        .await
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let end = |how: How, state: &mut State, names: Vec<String>| {
            let live = names.into_iter().filter(|name| state.remove(name).is_some_and(|row| how.is_live(&row)));
            live.count() as u64
        };
        if self.has(Fault::DeleteOwnedListsThenDeletes) {
            let names = self.trip(|how, state| Ok(state.owned(how, owner, except))).await?;
            self.gap().await;
            return self.trip(|how, state| Ok(end(how, state, names))).await;
        }
        self.trip(|how, state| {
            let names = state.owned(how, owner, except);
            if how.has(Fault::DeleteOwnedStopsAtCorrupt) {
                names.iter().try_for_each(|name| state.check_readable(how, name))?;
            }
            Ok(end(how, state, names))
        })
        .await
    }

    async fn clear(&self) -> Result<u64> {
        match self.fault {
            Fault::ClearReachesEveryNamespace => {
                self.trip_and_beyond(|how, state| Ok(state.clear(how)), |how, state| _ = state.clear(how)).await
            }
            Fault::ClearGoesOneByOne => {
                let mut ended = 0;
                while let Some(is_live) = self.trip(|how, state| Ok(state.remove_first(how))).await? {
                    ended += u64::from(is_live);
                }
                Ok(ended)
            }
            _ => match self.trip(|how, state| Ok(state.clear(how))).await {
                Err(Error::Unavailable(_)) if self.has(Fault::ClearIgnoresOutage) => Ok(0),
                answer => answer,
            },
        }
    }
}
