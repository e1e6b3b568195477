//! Commits, one after the other: each takes the work of its moment, and comes to its end although who waited for it is gone.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use async_lock::MutexGuard;
use session_core::Timestamp;
use tracing::Instrument as _;

use crate::Error;
use crate::commit::Commit;
use crate::decide::Due;
use crate::events;
use crate::few::Few;
use crate::request::{Inner, Phase, Request};
use crate::rules::{Facts, Occasion, Visit};
use crate::state::{Base, Chore, State};
use crate::tell::{Life, News};
use crate::turn::Running;
use crate::values::Values;
use crate::work::Work;

impl Request {
    /// Makes the store agree with the state.
    pub(crate) async fn settle(self: &Arc<Self>, occasion: Occasion) -> Result<(), Error> {
        let mut turn = self.turn.take().await;
        // What an earlier one left is found by the next look at the state, also if it failed.
        let _ = self.finish_running(&mut turn).await;
        self.find_unsure().await?;
        if let Some(commit) = self.take(occasion) {
            let span = events::storing(commit.base.stored().map(|stored| &stored.key));
            *turn = Some(Box::pin(commit.run().instrument(span)));
            self.finish_running(&mut turn).await?;
        }
        if self.has_untold_id() { Err(Error::HeadSent) } else { Ok(()) }
    }

    /// Brings the commit that is under way to its end. Dropped, it leaves it to the next one.
    pub(crate) async fn finish_running(&self, turn: &mut MutexGuard<'_, Option<Running>>) -> Result<(), Error> {
        if turn.is_none() {
            self.forget_panicked();
            return Ok(());
        }
        let is_late = self.turn.is_late.load(Ordering::Relaxed);
        let ended = poll_fn(|context| {
            // Out of its place meanwhile: if it panics it is gone.
            let Some(mut running) = turn.take() else { return Poll::Ready(None) };
            match running.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if is_late => Poll::Ready(None),
                Poll::Pending => {
                    **turn = Some(running);
                    Poll::Pending
                }
            }
        });
        let ended = ended.await;
        self.turn.is_late.store(false, Ordering::Relaxed);
        match ended {
            Some((commit, result)) => self.install(commit, result),
            None => {
                self.give_up();
                Ok(())
            }
        }
    }

    /// Waits for work on the store as long as one waits. What is under way then has its last chance at the next look at it.
    pub(crate) async fn in_time<T>(
        &self,
        work: Pin<&mut (impl Future<Output = Result<T, Error>> + Send)>,
    ) -> Result<T, Error> {
        let done = self.sessions.in_time(work).await;
        if matches!(&done, Err(error) if crate::timer::is_no_answer(error)) {
            self.turn.is_late.store(true, Ordering::Relaxed);
        }
        done
    }

    /// A commit that panicked, by a closure of the handler's or a store, is not tried again.
    fn forget_panicked(&self) {
        let has_pending = self.pending().is_some();
        self.with_state(|state| {
            if !has_pending && let Some(work) = state.under_way.take() {
                state.trash.push(work);
            }
        });
    }

    /// Gives up a commit that never ends. What it did is not known.
    fn give_up(&self) {
        self.with_state(|state| {
            if let Some(work) = state.under_way.take() {
                let mut work = Arc::unwrap_or_clone(work);
                work.changes.keep_all();
                work.is_unsure = work.changes.has_closures();
                self.put_back(state, Arc::new(work), 0);
            }
        });
    }

    /// An attempt at a new id was not answered: looks whether it is there.
    async fn find_unsure(self: &Arc<Self>) -> Result<(), Error> {
        let Some((id, written)) = self.pending() else { return Ok(()) };
        let key = self.sessions.key_of(&id);
        let found = self.sessions.store().load(&key).await?.filter(|(record, _)| record.data == written);
        let mut commit = self.begin(Occasion::Save, false);
        if let Some((record, revision)) = found {
            let life = Life { id: id.clone(), now: self.sessions.now(), expires_at: record.expires_at };
            commit.news = News::Issued(life);
            commit.set_base(Some(id), key, revision, record);
            self.set_pending(None);
            return self.install(commit, Ok(()));
        }
        self.set_pending(None);
        self.with_state(|state| {
            let earlier = state.under_way.take();
            match (state.cut.take(), earlier) {
                (Some((reason, base)), _) => {
                    let (ends, _) = base.into_ends(reason, &Few::default());
                    state.work.ends.splice(0..0, ends);
                }
                (None, Some(earlier)) => {
                    let later = std::mem::replace(&mut state.work, Arc::unwrap_or_clone(earlier));
                    state.work.extend(later);
                    // It may still be made.
                    state.work.changes.keep_all();
                    state.work.is_unsure |= state.work.changes.has_closures();
                }
                (None, None) => {}
            }
        });
        Ok(())
    }

    /// Takes the work out of the state, if something is due.
    fn take(self: &Arc<Self>, occasion: Occasion) -> Option<Box<Commit>> {
        let now = self.sessions.now();
        let is_due = {
            let mut inner = self.lock();
            let Inner { phase, visit } = &mut *inner;
            let (Phase::Open(state), Some(visit)) = (phase, visit) else { return None };
            !state.work.is_idle() || self.is_due(state, &**visit, occasion, now)
        };
        is_due.then(|| self.begin(occasion, true))
    }

    /// Says whether nothing is wanted, due or under way.
    pub(crate) fn is_settled(&self) -> bool {
        let now = self.sessions.now();
        let inner = self.lock();
        let (Phase::Open(state), Some(visit)) = (&inner.phase, &inner.visit) else { return false };
        let is_idle = state.work.is_idle() && state.under_way.is_none() && !visit.ends_unset();
        is_idle && !self.is_due(state, &**visit, Occasion::End, now) && !self.turn.is_busy()
    }

    /// Says whether something is due although no handler asked for it.
    fn is_due(&self, state: &State, visit: &dyn Visit, occasion: Occasion, now: Timestamp) -> bool {
        let mut facts = Facts::idle(occasion, &state.base, &state.work);
        if let Some(stored) = state.stored() {
            let end = self.sessions.ends_at(visit, &stored.meta, &stored.record, now);
            facts.is_own_changed = self.sessions.is_too_long(visit, stored, end, now);
            facts.is_touch_due = self.sessions.is_touch_due(visit, stored, &stored.meta, end, false);
        }
        visit.due(&facts) != Due::Nothing
    }

    /// Begins a commit; with the work that is to be done, or none.
    pub(crate) fn begin(self: &Arc<Self>, occasion: Occasion, takes_work: bool) -> Box<Commit> {
        let own = self.snapshot();
        let mut inner = self.lock();
        let phase = &mut inner.phase;
        let mut nothing = State::default();
        let state = match phase {
            Phase::Open(state) => &mut **state,
            Phase::Unopened | Phase::Failed => &mut nothing,
        };
        let is_found_by_login = state.is_found_by_login();
        let work = Arc::new(if takes_work { std::mem::take(&mut state.work) } else { Default::default() });
        if takes_work {
            state.under_way = Some(work.clone());
        }
        Box::new(Commit {
            sessions: self.sessions.clone(),
            visit: own,
            base: state.base.clone(),
            // Of two that are live nothing is known, and nothing is noted.
            presented: if state.is_several { Default::default() } else { state.presented.clone() },
            work,
            occasion,
            request: Arc::downgrade(self),
            is_found_by_login,
            ended: 0,
            news: News::Nothing,
            is_merged: false,
            repeated: None,
            dated: None,
            has_changed: false,
            logins: Default::default(),
            leaves_excess: false,
            is_id_refused: false,
            is_several: state.is_several,
            asked: state.asked.clone(),
        })
    }

    /// Takes what came of a commit into the state. What was written meanwhile stays, and waits for the next one.
    pub(crate) fn install(&self, commit: Box<Commit>, result: Result<(), Error>) -> Result<(), Error> {
        let Commit { base, work, news, visit: committed, .. } = *commit;
        let mut inner = self.lock();
        let Inner { phase, visit } = &mut *inner;
        let Phase::Open(state) = phase else { return result };
        state.asked = commit.asked;
        state.news.add(news);
        state.has_changed |= commit.has_changed;
        if let (true, Some(stored)) = (commit.leaves_excess, base.stored()) {
            state.chores.extend(stored.record.owner.clone().map(Chore::EndExcess));
        }
        if state.is_several && commit.ended > 0 {
            state.is_several = false;
        }
        let was_under_way = state.under_way.take().is_some();
        let left = || work.ends.iter().skip(commit.ended).cloned();
        if let Some((reason, _)) = state.cut.take() {
            // It was ended while it was being written: it ends under the key that it has now.
            let (own, _) = base.into_ends(reason, &Few::default());
            state.work.ends.splice(0..0, left().chain(own).collect::<Vec<_>>());
            return result;
        }
        let is_same_key = base.stored().zip(state.stored()).is_some_and(|(one, two)| one.key == two.key);
        if result.is_err() && is_same_key {
            // Nothing was stored: the handler goes on seeing what it saw.
            if was_under_way {
                self.put_back(state, work, commit.ended);
            }
            return result;
        }
        if let Some(visit) = visit {
            visit.follow(committed);
        }
        let values = base.stored().map(|stored| stored.record.data.clone()).unwrap_or_default();
        if !std::ptr::eq(values.as_str(), state.values.data().as_str()) {
            state.values = Values::new(values);
        }
        if let Base::Ended { .. } = base {
            // What it would have been told is of an id that is dead; the browser may have another one already.
            state.news = News::Nothing;
        }
        state.base = base;
        state.work.is_stale |= commit.is_merged;
        if result.is_err() && was_under_way {
            self.put_back(state, work, commit.ended);
        }
        if commit.is_id_refused { result.and(Err(Error::HeadSent)) } else { result }
    }

    /// Puts the work of a commit that failed in front of what came meanwhile. While a new id has no answer, it is still under way.
    fn put_back(&self, state: &mut State, work: Arc<Work>, ended: usize) {
        if self.pending().is_some() {
            let mut work = Arc::unwrap_or_clone(work);
            work.ends.drain(..ended);
            state.under_way = Some(Arc::new(work));
        } else {
            state.put_back(work, ended);
        }
    }
}
