//! Makes the store agree with what the handler did, and begins again when other requests wrote the session meanwhile.

use std::pin::pin;

use tracing::Instrument as _;

use crate::draft::Draft;
use crate::events;
use crate::express::{Action, Occasion, take_in};
use crate::plan::{Fate, Outcome, Plan};
use crate::shared::Shared;
use crate::state::{CookieOrder, Ended, Line, Stored};
use crate::{Error, ResponseHeaders, Session};

/// How often a write is tried before a request gives up.
///
/// Each conflict is another request's success, and a success conflicts with a writer once. So one of 64 requests that write a
/// session at the same time loses 63 times at most; 100 leaves room, and still ends.
const ATTEMPTS: u32 = 100;

impl Session {
    /// Stores the changes now, before the response is ready.
    ///
    /// [`Error::Gone`] says that the session was ended by another request; the changes are dropped. After the response
    /// has been sent it still stores changes of the data, but what needs another cookie is refused with
    /// [`Error::HeadSent`]. After any other error the changes are still there and it may be called again; if the store did
    /// write and its answer was lost, that makes them a second time. The cookie of a session that this created or rotated is
    /// sent with the response, unless the response fails.
    pub async fn save(&self) -> Result<(), Error> {
        let saving = pin!(async {
            let _taken = self.0.turn.take().await;
            if self.0.settle(Occasion::Save).await? == Fate::Gone {
                return Err(Error::Gone);
            }
            let mut state = self.0.state();
            let values = state.stored().map(|stored| stored.record.data.clone());
            if let Some((ledger, values)) = state.ledger.as_mut().zip(values) {
                ledger.note_saved(values);
            }
            Ok(())
        });
        self.0.config.in_time(saving).await
    }

    /// Loads the session again, and makes the changes of this request that are not stored yet on what it finds.
    ///
    /// [`Error::Gone`] says that it was ended by another request. For a session that is not stored it does nothing. Under the rules
    /// of [Express](crate::express) the changes are dropped, and a session that is not stored is [`Error::Gone`] too.
    pub async fn reload(&self) -> Result<(), Error> {
        let reloading = pin!(async {
            let _taken = self.0.turn.take().await;
            let mut plan = Plan::of(&self.0.state(), &self.0.config, Occasion::Save);
            let is_express = plan.express.is_some();
            let Line::Stored(stored) = &plan.line else { return if is_express { Err(Error::Gone) } else { Ok(()) } };
            let key = stored.key.clone();
            if is_express {
                plan.log.forget(plan.log.last());
            }
            if self.0.reload(&mut plan).await? {
                self.0.refresh(&plan);
                Ok(())
            } else {
                self.0.install(&plan, Outcome::Gone(key));
                Err(Error::Gone)
            }
        });
        self.0.config.in_time(reloading).await
    }

    /// Stores the changes for the last time before the head is sent; called once per request.
    pub(crate) async fn commit(&self) -> Result<ResponseHeaders, Error> {
        let shared = &self.0;
        let settling = pin!(async {
            let taken = shared.turn.take().await;
            if let Some(express) = shared.config.as_express() {
                shared.state().fulfil_unset(express);
            }
            shared.settle(Occasion::End).await.map(|_| taken)
        });
        let settled = shared.config.in_time(settling).await;
        shared.state().head_sent = true;
        if let Err(error) = settled {
            events::commit_failed(&error);
            let mut state = shared.state();
            let is_delivered = shared.config.failure.delivers(&mut state, &error);
            // The client is told that it failed, or never.
            state.has_failed = true;
            state.forget();
            if !is_delivered {
                return Err(error);
            }
        }
        shared.keep_limit().await.inspect_err(events::commit_failed)?;
        Ok(shared.response_headers())
    }
}

impl Shared {
    /// Makes the store agree with the state. Only who has the turn may call it.
    async fn settle(&self, occasion: Occasion) -> Result<Fate, Error> {
        let span = events::storing(self.state().stored().map(|stored| &stored.key));
        let settled = self.settle_now(occasion).instrument(span).await;
        let state = self.state();
        if state.head_sent {
            self.tell_nothing(&state);
        }
        settled
    }

    async fn settle_now(&self, occasion: Occasion) -> Result<Fate, Error> {
        // A login that there is no room for changes nothing, so that is looked at first.
        let mut login = None;
        if self.config.limit().is_some() && self.state().wishes.owner.is_some() {
            let plan = login.insert(Plan::of(&self.state(), &self.config, occasion));
            self.make_room(plan).await?;
        }
        self.delete_ended().await?;
        if let Some(fate) = self.nothing_to_do(occasion)? {
            return Ok(fate);
        }
        let mut plan = login.unwrap_or_else(|| Plan::of(&self.state(), &self.config, occasion));
        let mut conflicts = 0;
        for _ in 0..ATTEMPTS {
            let refusal = match self.attempt(&mut plan).await {
                Ok(outcome) => {
                    if let (1.., Outcome::Stored(stored, _)) = (conflicts, &outcome) {
                        events::conflict_merged(&stored.key, conflicts);
                    }
                    if let (Some(_), Outcome::Stored(stored, _)) = (&plan.wishes.owner, &outcome) {
                        events::logged_in(&stored.key);
                    }
                    return Ok(self.install(&plan, outcome));
                }
                Err(error) => error,
            };
            if let Error::Store(session_core::Error::AlreadyExists) = refusal {
                // Two random ids met; the next attempt makes another one.
                continue;
            }
            let Line::Stored(stored) = &plan.line else { return Err(refusal) };
            let key = stored.key.clone();
            let is_gone = match refusal {
                Error::Store(session_core::Error::Conflict) => {
                    conflicts += 1;
                    !self.reload(&mut plan).await?
                }
                Error::Store(session_core::Error::NotFound) => true,
                other => return Err(other),
            };
            if is_gone && plan.wishes.owner.is_some() {
                // A login is a new authentication: a new session begins, with what this request wrote.
                plan.begin_anew()?;
            } else if is_gone {
                return Ok(self.install(&plan, Outcome::Gone(key)));
            }
        }
        Err(Error::Contention)
    }

    /// Returns quickly, and copies nothing, when there is nothing to write and no touch is due.
    fn nothing_to_do(&self, occasion: Occasion) -> Result<Option<Fate>, Error> {
        let mut state = self.state();
        if let Line::Unloaded(_) = state.line {
            let is_asked = state.has_changes() || (occasion == Occasion::Save && state.ledger.is_some());
            return if is_asked { Err(Error::ReadOnly) } else { Ok(Some(Fate::Settled)) };
        }
        if let Some((ledger, express)) = state.ledger.as_ref().zip(self.config.as_express()) {
            let is_gone = matches!(state.line, Line::Gone(_));
            let is_quiet = ledger.action(&state, express, occasion) == Action::Nothing;
            if is_quiet && !is_gone {
                state.forget_wishes();
            }
            let fate = if is_gone { Fate::Gone } else { Fate::Settled };
            return Ok((is_quiet && !(is_gone && state.has_changes())).then_some(fate));
        }
        if state.has_changes() || state.wishes.touch {
            return Ok(None);
        }
        Ok(match &state.line {
            Line::New | Line::Unloaded(_) => Some(Fate::Settled),
            Line::Gone(_) => Some(Fate::Gone),
            Line::Stored(stored) => {
                (!self.config.is_touch_due(&stored.record, state.draft.max_age(), self.config.now(), false))
                    .then_some(Fate::Settled)
            }
        })
    }

    /// Deletes the sessions that this request ended (S13). Browsers are told only if the session was there until now: else
    /// their cookie may have been replaced already.
    async fn delete_ended(&self) -> Result<(), Error> {
        loop {
            let Some(Ended { key, reason }) = self.state().ended.first().cloned() else { return Ok(()) };
            self.depart(&key);
            let was_live = self.config.store.delete(&key).await?;
            let mut state = self.state();
            state.ended.retain(|ended| ended.key != key);
            if was_live {
                state.cookie = CookieOrder::Remove;
            } else if matches!(state.line, Line::New) && state.wishes.owner.is_none() {
                // What was set since then would begin a session whose cookie replaces that of a login elsewhere.
                state.line = Line::Gone(key.clone());
            }
            drop(state);
            if was_live { events::destroyed(&key, reason) } else { events::gone_at_commit(&key) }
        }
    }

    /// Loads what is stored now and makes the changes of the plan on it; `false` if the session is gone.
    async fn reload(&self, plan: &mut Plan) -> Result<bool, Error> {
        let Line::Stored(stored) = &mut plan.line else { return Ok(false) };
        let Some((mut record, revision)) = self.config.store.load(&stored.key).await? else { return Ok(false) };
        if let Some((_, cookie)) = &mut plan.express {
            plan.reloaded_cookie = take_in(&mut record).cookie;
            let mut state = self.state();
            let is_same_line = state.lines == plan.lines;
            if let Some(ledger) = state.ledger.as_mut().filter(|_| is_same_line) {
                ledger.follow(plan.reloaded_cookie.clone());
                *cookie = ledger.cookie.clone();
            }
        }
        let mut draft = Draft::new(record.data.clone());
        plan.log.replay(0, &mut draft)?;
        *stored = Stored { record, revision, ..stored.clone() };
        plan.draft = draft;
        Ok(true)
    }
}
