//! Doing what a request wants: the work is taken, decided on, and carried out by one call of the store, again after each conflict.
//!
//! A commit owns all that it works on and knows nothing of the request, so that it comes to its end whoever waits for it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use session_core::{Data, Record, Revision, SessionId, SessionKey, Timestamp};

use crate::Error;
use crate::config::Config;
use crate::decide::{Action, action};
use crate::events::{self, Reason};
use crate::few::Few;
use crate::meta::Meta;
use crate::recent::Became;
use crate::request::Request;
use crate::rules::{AnyVisit, Facts, Occasion};
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
}

/// What is to be stored.
struct Draft {
    now: Timestamp,
    meta: Meta,
    record: Record,
    action: Action,
    is_other_age: bool,
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
                    if is_outage && self.work.changes.has_closures() {
                        Arc::make_mut(&mut self.work).is_unsure = true;
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
                store.delete(&stored.key).await?;
                events::destroyed(&stored.key, Reason::Emptied);
                self.has_changed = true;
                self.base = Base::New;
                self.news.add(News::Ended);
            }
            Action::Rotate => self.rotate(stored, draft).await?,
        }
        Ok(is_new_login)
    }

    async fn create(&mut self, mut draft: Draft) -> Result<bool, Error> {
        if !self.can_tell() {
            return Err(Error::HeadSent);
        }
        let (id, key) = self.new_id()?;
        let before = draft.meta.clone();
        for old in self.dead_keys().iter().filter(|_| self.work.login().is_some()) {
            draft.meta.leave(old, draft.now, true);
        }
        self.write_meta(&mut draft, &before);
        let packed = self.packed(&draft);
        self.set_pending(Some((id.clone(), packed.data.clone())));
        let answer = self.sessions.store().create(&key, &packed).await;
        let revision = self.or_find(&key, &packed.data, answer).await?;
        events::created(&key);
        // Who presents what has ended is on the way; the browser has another one now.
        for old in self.dead_keys() {
            let is_known = self.work.ends.iter().any(|end| end.key == old);
            self.sessions.recent.note_replaced(&old, key.clone(), is_known, draft.now);
        }
        self.issued(id.clone(), id, key, revision, draft);
        let is_login = self.work.login().is_some();
        self.logged_in();
        Ok(is_login)
    }

    async fn rotate(&mut self, stored: Stored, mut draft: Draft) -> Result<(), Error> {
        let (id, key) = self.new_id()?;
        let is_login = self.work.login().is_some();
        draft.meta.leave(&stored.key, draft.now, is_login);
        self.write_meta(&mut draft, &stored.meta);
        let recent = self.sessions.recent.clone();
        recent.ask(&stored.key, true, draft.now);
        let packed = self.packed(&draft);
        self.set_pending(Some((id.clone(), packed.data.clone())));
        let answer = self.sessions.store().rotate(&stored.key, stored.revision, &key, &packed).await;
        let found = self.or_find(&key, &packed.data, answer).await;
        let known = Some(id.clone()).filter(|_| is_login);
        match &found {
            Ok(_) => recent.note(&stored.key, Became::Moved { to: key.clone(), id: known }, draft.now),
            Err(Error::Store(session_core::Error::Unavailable(_))) => {}
            Err(_) => recent.withdraw(&stored.key),
        }
        let revision = found?;
        events::rotated(&stored.key, &key);
        // The same login may have been made once more meanwhile, and the browser has got its answer already.
        let told = match recent.fate(&key, draft.now) {
            Some(Became::Moved { id: Some(later), .. }) if is_login => later,
            _ => id.clone(),
        };
        self.issued(id, told, key, revision, draft);
        self.logged_in();
        Ok(())
    }

    /// Remembers what became of a key, as far as the store said so.
    fn remember<T>(&self, key: &SessionKey, answer: &session_core::Result<T>, became: Became, now: Timestamp) {
        match answer {
            Ok(_) => self.sessions.recent.note(key, became, now),
            Err(session_core::Error::Unavailable(_)) => {}
            Err(_) => self.sessions.recent.withdraw(key),
        }
    }

    /// Says whether a new id can be told.
    pub(crate) fn can_tell(&self) -> bool {
        self.request.upgrade().is_some_and(|request| request.progress.can_tell(self.is_found_by_login))
    }

    /// Notes the new id before the store is asked, for every later attempt to look there first; `None` when its fate is known.
    fn set_pending(&self, asked: Option<(SessionId, Data)>) {
        if let Some(request) = self.request.upgrade() {
            request.set_pending(asked);
        }
    }

    /// Takes the answer to a write under a new key. Where it was lost, looks whether it is there: whoever has the old id would else be logged
    /// out by an outage.
    async fn or_find(
        &mut self,
        key: &SessionKey,
        written: &Data,
        answer: session_core::Result<Revision>,
    ) -> Result<Revision, Error> {
        let answer = match answer {
            Err(lost @ session_core::Error::Unavailable(_)) => match self.sessions.store().load(key).await {
                Ok(Some((record, revision))) if record.data == *written => Ok(revision),
                Ok(_) | Err(_) => return Err(lost.into()),
            },
            answer => answer,
        };
        self.set_pending(None);
        Ok(answer?)
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

    fn draft(&mut self) -> Result<Draft, Error> {
        if self.work.is_stale {
            self.replay()?;
            Arc::make_mut(&mut self.work).is_stale = false;
        }
        if self.work.rotates && !self.can_tell() {
            // No id becomes a user's that somebody had before, and what belongs to the user goes nowhere else.
            if self.work.login().is_some() {
                return Err(Error::HeadSent);
            }
            Arc::make_mut(&mut self.work).forget_id();
            self.is_id_refused = true;
        }
        let now = self.sessions.now();
        let (sessions, work, stored) = (&self.sessions, &*self.work, self.base.stored());
        let owner = stored.and_then(|stored| stored.record.owner.as_ref());
        let before = stored.map(|stored| stored.meta.clone()).unwrap_or_default();
        let mut meta = work.meta_after(&before, owner);
        if let (Some(dated), Some(login)) = (self.dated, &mut meta.login) {
            login.at = login.at.max(dated);
        }
        let is_other_age = meta.age != before.age || meta.until != before.until;
        let data = stored.map_or_else(Data::empty, |stored| stored.record.data.clone());
        let changes = &work.changes;
        let changed =
            if self.visit.minds_order() { changes.apply_in_order_to(&data) } else { changes.apply_to(&data, &[]) };
        let mut record = match stored {
            Some(stored) => stored.record.clone(),
            None => {
                let mut record = Record::new(data, now, now);
                record.deadline = sessions.expiry.deadline(now);
                record
            }
        };
        record.owner = work.owner_after(owner);
        record.expires_at = sessions.ends_at(&*self.visit, &meta, &record, now);
        let rotates = work.rotates && self.repeated.is_none();
        let facts = Facts {
            occasion: self.occasion,
            stored,
            is_gone: matches!(self.base, Base::Ended { .. } | Base::Unread { .. }),
            work,
            changed: changed.as_ref(),
            is_own_changed: meta != before || record.owner.as_ref() != owner,
            has_owner: record.owner.is_some(),
            rotates,
            is_touch_due: stored.is_some_and(|stored| {
                sessions.is_touch_due(&*self.visit, stored, &meta, record.expires_at, work.touches)
            }),
        };
        let action = action(self.visit.due(&facts), stored.is_some(), rotates);
        record.data = changed.unwrap_or(record.data);
        if !matches!(action, Action::Nothing | Action::Touch) {
            meta.forget_origins(now);
        }
        let mut draft = Draft { now, meta, record, action, is_other_age };
        self.write_meta(&mut draft, &before);
        Ok(draft)
    }

    /// Writes what the session keeps of its own into the values.
    fn write_meta(&self, draft: &mut Draft, before: &Meta) {
        let edits = draft.meta.edits(before, &draft.record.data);
        let edits: Vec<_> = edits.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        if let Some(data) = draft.record.data.changed_by(&edits) {
            draft.record.data = data;
        }
    }

    /// Returns the record as it is stored, with what the rules keep there.
    fn packed<'d>(&self, draft: &'d Draft) -> Cow<'d, Record> {
        match self.visit.pack(&draft.record.data, draft.now) {
            None => Cow::Borrowed(&draft.record),
            Some(data) => {
                let mut record = draft.record.clone();
                record.data = data;
                Cow::Owned(record)
            }
        }
    }

    fn issued(&mut self, id: SessionId, told: SessionId, key: SessionKey, revision: Revision, draft: Draft) {
        let Draft { record, meta, now, .. } = draft;
        self.news.add(News::Issued(Life { id: told, now, expires_at: record.expires_at }));
        self.has_changed = true;
        self.base = Base::Stored(Stored { id: Some(id), key, revision, record, meta });
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

    fn new_id(&self) -> Result<(SessionId, SessionKey), Error> {
        let id = self.sessions.new_id()?;
        let key = self.sessions.key_of(&id);
        Ok((id, key))
    }

    fn logged_in(&self) {
        if let (Some(Owner::Login(..)), Some(stored)) = (&self.work.owner, self.base.stored()) {
            events::logged_in(&stored.key);
        }
    }

    /// Says whether the login adds to the user's sessions.
    pub(crate) fn adds_login(&self, stored: Option<&Stored>) -> bool {
        let login = self.work.login();
        login.is_some() && stored.and_then(|stored| stored.record.owner.as_ref()) != login
    }

    /// The keys that the browser presents, or that this request ended, of which none lives.
    fn dead_keys(&self) -> Vec<SessionKey> {
        let ended = self.work.ends.iter().take(self.ended).map(|end| end.key.clone());
        let mut keys: Vec<_> = self.presented.iter().cloned().chain(ended).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
