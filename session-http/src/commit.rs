//! Doing what a request wants: the work is taken, decided on, and carried out by one call of the store, again after each conflict.
//!
//! A commit owns all that it works on and knows nothing of the request, so that it comes to its end whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use session_core::{Data, Record, Revision, SessionId, SessionKey, Timestamp};

use crate::Error;
use crate::config::Config;
use crate::decide::Action;
use crate::draft::Draft;
use crate::events::{self, Reason};
use crate::few::Few;
use crate::meta::Meta;
use crate::recent::Became;
use crate::request::Request;
use crate::rules::{AnyVisit, Occasion};
use crate::state::{Base, Stored};
use crate::tell::{Life, News};
use crate::work::{Owner, Work};

/// How often a write is tried before a request gives up.
///
/// Each conflict is another request's success, and a success conflicts with a writer once. So one of 64 requests that write a
/// session at the same time loses 63 times at most; 100 leaves room, and still ends.
const ATTEMPTS: u32 = 100;

/// A commit, from the work that it took to what came of it.
pub(crate) struct Commit {
    pub(crate) sessions: Arc<Config>,
    pub(crate) visit: AnyVisit,
    pub(crate) base: Base,
    pub(crate) presented: Few<SessionKey>,
    pub(crate) work: Arc<Work>,
    pub(crate) occasion: Occasion,
    /// The request, if there still is one.
    pub(crate) request: Weak<Request>,
    /// A login that is found by the next one, though its client has left.
    pub(crate) is_found_by_login: bool,
    /// How many of the sessions that are to be ended are.
    pub(crate) ended: usize,
    pub(crate) news: News,
    /// What is stored is not what the handler saw: other requests wrote too.
    pub(crate) is_merged: bool,
    /// The id of the session that a login joined, which the browser is told once more.
    pub(crate) repeated: Option<SessionId>,
    /// When the login counts as made, if not when it was: after all others, whatever the clocks say.
    pub(crate) dated: Option<Timestamp>,
    /// This request changed what is stored.
    pub(crate) has_changed: bool,
    /// When sessions of the user were logged in, as far as it was looked up.
    pub(crate) logins: HashMap<SessionKey, Timestamp>,
    /// A new id was wanted that nobody can be told any more; what else was wanted is stored.
    pub(crate) is_id_refused: bool,
    /// Sessions of the user are too many, and are not ended yet.
    pub(crate) leaves_excess: bool,
    /// The request presents two that are live, and none counts before a login or a logout has ended them.
    pub(crate) is_several: bool,
    /// The keys that this request asked the store to end, and had no answer.
    pub(crate) asked: Vec<SessionKey>,
}

impl Commit {
    /// Carries it out. What could not be done is still in the work.
    pub(crate) async fn run(mut self: Box<Self>) -> (Box<Self>, Result<(), Error>) {
        let result = self.carry_out().await;
        (self, result)
    }

    async fn carry_out(&mut self) -> Result<(), Error> {
        if let Base::Unread { is_corrupt, .. } = self.base {
            if self.work.login().is_none() || !is_corrupt {
                return if self.work.asks() { Err(Error::ReadOnly) } else { Ok(()) };
            }
            self.base = Base::New;
        }
        if let (Some(stored), true) = (self.base.stored(), self.work.changes.has_removed() && !self.visit.minds_order())
        {
            let data = stored.record.data.clone();
            Arc::make_mut(&mut self.work).changes.drop_unmoved(&data);
        }
        self.find_earlier_login().await?;
        self.make_room().await?;
        self.end_sessions().await?;
        let mut conflicts = 0;
        for _ in 0..ATTEMPTS {
            let key = match &self.base {
                Base::Ended { key, .. } => {
                    let key = key.clone();
                    return self.refuse(&key);
                }
                base => base.stored().map(|stored| stored.key.clone()),
            };
            match (self.attempt().await, key) {
                (Ok(is_new_login), _) => {
                    if let (1.., Some(stored)) = (conflicts, self.base.stored()) {
                        events::conflict_merged(&stored.key, conflicts);
                    }
                    return if is_new_login { self.keep_limit().await } else { Ok(()) };
                }
                // Two random ids met; the next attempt makes another one.
                (Err(Error::Store(session_core::Error::AlreadyExists)), _) => {}
                (Err(Error::Store(session_core::Error::Conflict)), Some(key)) => {
                    events::conflict();
                    conflicts += 1;
                    self.reload(&key).await?;
                }
                (Err(Error::Store(session_core::Error::NotFound)), Some(key)) => self.go_on_without(&key).await?,
                (Err(error), _) => {
                    let is_outage = matches!(error, Error::Store(session_core::Error::Unavailable(_)));
                    if is_outage && !self.work.changes.is_empty() {
                        let work = Arc::make_mut(&mut self.work);
                        work.changes.keep_all();
                        work.is_unsure |= work.changes.has_closures();
                    }
                    return Err(error);
                }
            }
        }
        Err(Error::Contention)
    }

    /// The session has ended: what it was to become is dropped, and that is an error if something is lost.
    pub(crate) fn refuse(&self, key: &SessionKey) -> Result<(), Error> {
        if !self.work.asks_more() {
            return Ok(());
        }
        events::gone_at_commit(key);
        Err(Error::Ended)
    }

    /// Makes at most one change to the store; says whether a login added to the user's sessions.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let draft = self.draft()?;
        let (sessions, now) = (self.sessions.clone(), draft.now);
        let store = sessions.store();
        let stored = match (draft.action, self.base.stored()) {
            (Action::Create, _) => return self.create(draft).await,
            (_, None) => return Ok(false),
            (_, Some(stored)) => stored.clone(),
        };
        let is_new_login = self.adds_login(Some(&stored));
        match draft.action {
            // A login that joined and has nothing to add is told its id all the same.
            Action::Nothing | Action::Create => self.extended(stored.clone(), stored.revision, draft),
            Action::Touch => {
                store.touch(&stored.key, draft.record.expires_at).await?;
                events::extended(&stored.key);
                self.extended(stored.clone(), stored.revision, draft);
            }
            Action::Update => {
                let packed = self.packed(&draft);
                let revision = store.update(&stored.key, stored.revision, &packed).await?;
                events::updated(&stored.key);
                self.has_changed = true;
                self.extended(stored, revision, draft);
                self.logged_in();
            }
            Action::End => {
                // A delete has no revision and would take a concurrent change with it; a write that has expired already has one.
                let mut over = draft.record;
                over.expires_at = Timestamp::MIN;
                sessions.recent.ask(&stored.key, false, now);
                let written = store.update(&stored.key, stored.revision, &over).await;
                self.remember(&stored.key, &written, Became::Emptied, now);
                written?;
                // It has ended already; what this leaves is swept.
                let _ = store.delete(&stored.key).await;
                events::destroyed(&stored.key, Reason::Emptied);
                self.has_changed = true;
                self.base = Base::New;
                self.news.add(News::Ended);
            }
            Action::Rotate => self.rotate(stored, draft).await?,
        }
        Ok(is_new_login)
    }

    /// Remembers what became of a key, as far as the store said so.
    fn remember<T>(&mut self, key: &SessionKey, answer: &session_core::Result<T>, became: Became, now: Timestamp) {
        match answer {
            Ok(_) => self.sessions.recent.note(key, became, now),
            Err(session_core::Error::Unavailable(_)) => self.asked.push(key.clone()),
            Err(_) => self.sessions.recent.withdraw(key),
        }
    }

    /// Loads what is stored now, on which the changes are made again.
    async fn reload(&mut self, key: &SessionKey) -> Result<(), Error> {
        if self.work.is_unsure {
            // What changed it may have been the attempt that was not answered, and nothing is made twice.
            return Err(session_core::Error::unavailable("an earlier write was not answered").into());
        }
        let Some((record, revision)) = self.sessions.store().load(key).await? else {
            return self.go_on_without(key).await;
        };
        let id = self.base.stored().and_then(|stored| stored.id.clone());
        self.set_base(id, key.clone(), revision, record);
        self.is_merged = true;
        self.replay()
    }

    /// Runs the closures again on the values of the base.
    pub(crate) fn replay(&mut self) -> Result<(), Error> {
        let data = self.base.stored().map_or_else(Data::empty, |stored| stored.record.data.clone());
        if self.work.changes.has_closures() {
            Arc::make_mut(&mut self.work).changes.replay(&data)?;
        }
        Ok(())
    }

    /// Goes on with a session that was loaded.
    pub(crate) fn set_base(&mut self, id: Option<SessionId>, key: SessionKey, revision: Revision, mut record: Record) {
        let meta = Meta::unpack(&record.data);
        record.data = self.visit.unpack(&record.data);
        self.base = Base::Stored(Stored { id, key, revision, record, meta });
    }

    fn extended(&mut self, before: Stored, revision: Revision, draft: Draft) {
        let (now, expires_at) = (draft.now, draft.record.expires_at);
        let life = |id| Life { id, now, expires_at };
        let id = before.id.or(self.repeated.clone());
        match (&self.repeated, &id) {
            (Some(id), _) => self.news.add(News::Issued(life(id.clone()))),
            (None, Some(id)) => self.news.add(News::Extended(life(id.clone()), draft.is_other_age)),
            (None, None) => {}
        }
        let Draft { record, meta, .. } = draft;
        self.base = Base::Stored(Stored { id, key: before.key, revision, record, meta });
    }

    pub(crate) fn logged_in(&self) {
        if let (Some(Owner::Login(..)), Some(stored)) = (&self.work.owner, self.base.stored()) {
            events::logged_in(&stored.key);
        }
    }

    /// Says whether the login adds to the user's sessions.
    pub(crate) fn adds_login(&self, stored: Option<&Stored>) -> bool {
        let login = self.work.login();
        login.is_some() && stored.and_then(|stored| stored.record.owner.as_ref()) != login
    }
}
