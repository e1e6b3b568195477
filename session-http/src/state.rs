//! What one request knows about its session, and what it wants of it.

use std::sync::Arc;

use serde_json::value::RawValue;
use session_core::{Data, OwnerId, Record, Revision, SessionId, SessionKey, Timestamp};

use crate::changes::{Changes, Modify, Value};
use crate::events::Reason;
use crate::few::Few;
use crate::meta::{Age, Meta, is_own};
use crate::tell::News;
use crate::values::{Found, Values};
use crate::work::{End, Owner, Seen, Work};

/// A stored session, as it was last seen.
#[derive(Clone)]
pub(crate) struct Stored {
    /// Not known of a session that a login joined: it gets another one.
    pub(crate) id: Option<SessionId>,
    pub(crate) key: SessionKey,
    pub(crate) revision: Revision,
    /// Its data without what the rules keep there.
    pub(crate) record: Record,
    pub(crate) meta: Meta,
}

/// The session that the handle is about at the moment.
#[derive(Clone, Default)]
#[allow(clippy::large_enum_variant, reason = "it mostly is the large one")]
pub(crate) enum Base {
    /// Nothing is stored yet.
    #[default]
    New,
    Stored(Stored),
    /// It has ended without this request's doing: after it was loaded, or while the request was on its way.
    Ended {
        key: SessionKey,
        was_live: bool,
    },
    /// The request presents it, and it could not be loaded. Nothing is written to it.
    Unread {
        key: SessionKey,
        is_corrupt: bool,
    },
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) base: Base,
    /// The values of the base.
    pub(crate) values: Values,
    /// What a commit took, until it is done.
    pub(crate) under_way: Option<Arc<Work>>,
    /// The session was ended while a commit was under way: it ends under the key that it gets, or else as it was.
    pub(crate) cut: Option<(Reason, Base)>,
    pub(crate) work: Work,
    pub(crate) news: News,
    /// What the request presents with a valid signature.
    pub(crate) presented: Few<SessionKey>,
    /// Two of them were live, and none counts.
    pub(crate) is_several: bool,
    /// Those, where they were looked up.
    pub(crate) live: Vec<(SessionKey, Record)>,
    /// This request changed what is stored.
    pub(crate) has_changed: bool,
    /// The keys that this request asked the store to end, and had no answer.
    pub(crate) asked: Vec<SessionKey>,
    /// What is left to do when the response is sent.
    pub(crate) chores: Vec<Chore>,
    /// What is not wanted any more: it has values of the handler's, which are not dropped under the lock.
    pub(crate) trash: Vec<Arc<Work>>,
}

/// What is left to do when the response is sent.
pub(crate) enum Chore {
    /// This user has more sessions than they may.
    EndExcess(OwnerId),
    /// A session was created, and nobody can be told its id.
    EndUnreachable(SessionKey),
}

impl Base {
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::New | Self::Ended { .. } | Self::Unread { .. } => None,
        }
    }

    /// Ends it: returns what is to be deleted, and what is left. Of a request that has no session, a logout ends what it presents.
    pub(crate) fn into_ends(self, reason: Reason, presented: &Few<SessionKey>) -> (Vec<End>, Self) {
        let is_logout = reason == Reason::Logout;
        let ends = match self {
            // They were looked up, and not found.
            Self::New if is_logout => presented.iter().map(|key| End::of(key, reason, Seen::Absent)).collect(),
            Self::New => Vec::new(),
            Self::Stored(stored) => vec![End::of(&stored.key, reason, Seen::Live(stored.record))],
            Self::Ended { key, .. } if is_logout => vec![End::of(&key, reason, Seen::Dead)],
            // What has ended stays so, and what is set is refused.
            Self::Ended { .. } => return (Vec::new(), self),
            // Nothing is written to it, and nothing in its place.
            Self::Unread { .. } if !is_logout => return (Vec::new(), self),
            Self::Unread { key, is_corrupt: true } => vec![End::of(&key, reason, Seen::Unreadable)],
            Self::Unread { key, is_corrupt: false } => vec![End::of(&key, reason, Seen::Nothing)],
        };
        (ends, Self::New)
    }
}

impl State {
    pub(crate) fn of(base: Base, presented: Few<SessionKey>) -> Self {
        let values = base.stored().map_or_else(Values::default, |stored| Values::new(stored.record.data.clone()));
        Self { base, values, presented, ..Self::default() }
    }

    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.base.stored()
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.base, Base::Ended { .. })
    }

    /// The work that lies over what is stored, the earlier first.
    fn layers(&self) -> impl Iterator<Item = &Work> {
        self.under_way.as_deref().filter(|_| self.cut.is_none()).into_iter().chain([&self.work])
    }

    pub(crate) fn owner(&self) -> Option<OwnerId> {
        let stored = self.stored().and_then(|stored| stored.record.owner.clone());
        self.layers().fold(stored, |owner, work| work.owner_after(owner.as_ref()))
    }

    pub(crate) fn meta(&self) -> Meta {
        let (mut meta, mut owner) =
            self.stored().map_or_else(Default::default, |s| (s.meta.clone(), s.record.owner.clone()));
        for work in self.layers() {
            meta = work.meta_after(&meta, owner.as_ref());
            owner = work.owner_after(owner.as_ref());
        }
        meta
    }

    /// Finds a value as the handler sees it.
    pub(crate) fn find(&mut self, name: &str) -> Found {
        match self.work.changes.shown(name) {
            Some(shown) => shown.cloned().map_or(Found::Nothing, Found::Value),
            None => self.find_before(name),
        }
    }

    /// Finds a value as it was before the present work.
    pub(crate) fn find_before(&mut self, name: &str) -> Found {
        let under_way = self.under_way.as_ref().filter(|_| self.cut.is_none());
        match under_way.and_then(|work| work.changes.shown(name)) {
            Some(shown) => shown.cloned().map_or(Found::Nothing, Found::Value),
            None => self.values.find(name),
        }
    }

    /// Sets (`Some`) or removes a value, of which the handler sees this.
    pub(crate) fn put(&mut self, name: &str, value: Option<Value>, seen: Option<&RawValue>) {
        match self.work.changes.shown(name) {
            None => self.work.changes.put(name, value, seen),
            Some(_) => {
                let before = self.find_before(name);
                self.work.changes.put(name, value, before.raw(name));
            }
        }
    }

    /// Does something to a value, of which the handler sees this.
    pub(crate) fn modify(&mut self, name: &str, modify: Arc<Modify>, shown: Value, seen: Option<&RawValue>) {
        match self.work.changes.shown(name) {
            None => self.work.changes.modify(name, modify, shown, seen),
            Some(_) => {
                let before = self.find_before(name);
                self.work.changes.modify(name, modify, shown, before.raw(name));
            }
        }
    }

    /// Returns the values as the handler sees them, with what is the session's own.
    pub(crate) fn data(&self) -> Data {
        let apply = |data: Data, work: &Work| work.changes.apply_to(&data, &[]).unwrap_or(data);
        self.layers().fold(self.values.data().clone(), apply)
    }

    pub(crate) fn is_empty(&self) -> bool {
        let layers = || self.layers().map(|work| &work.changes);
        if layers().all(Changes::is_empty) {
            return !self.values.data().has_names_but(is_own);
        }
        if self.work.changes.sets_something() {
            return false;
        }
        self.work.changes.is_cleared() || !self.data().has_names_but(is_own)
    }

    /// Sets the owner and asks for a new id. Another user's session ends first, with its data.
    pub(crate) fn login(&mut self, owner: OwnerId, now: Timestamp) -> bool {
        let is_another = self.owner().is_some_and(|current| current != owner);
        if is_another {
            self.end(Reason::AnotherUser);
        }
        let others = self.end_others(Reason::Beside);
        self.work.ends.extend(others);
        self.work.owner = Some(Owner::Login(owner, now));
        self.work.rotates = true;
        is_another
    }

    /// Ends what the browser presents beside the session. Where all is dead, a login keeps it, as it may join what that became, and a logout
    /// ends what that became.
    fn end_others(&mut self, reason: Reason) -> Vec<End> {
        let own = match &self.base {
            Base::New if !self.is_several => return Vec::new(),
            Base::Ended { .. } if reason != Reason::Logout => return Vec::new(),
            Base::New => None,
            Base::Stored(stored) => Some(stored.key.clone()),
            Base::Ended { key, .. } | Base::Unread { key, .. } => Some(key.clone()),
        };
        let (own, others): (Vec<_>, _) = self.presented.iter().cloned().partition(|key| Some(key) == own.as_ref());
        self.presented = own.into_iter().collect();
        let was_looked_up = !self.is_several || !self.live.is_empty();
        let end = |key: SessionKey| {
            let seen = match self.live.iter().find(|(live, _)| *live == key) {
                Some((_, record)) => Seen::Live(record.clone()),
                None if was_looked_up => Seen::Absent,
                None => Seen::Nothing,
            };
            End::of(&key, reason, seen)
        };
        others.into_iter().map(end).collect()
    }

    /// Ends the session and begins an empty, anonymous one, which is stored only if something is set.
    pub(crate) fn end(&mut self, reason: Reason) {
        let others = if reason == Reason::Logout { self.end_others(reason) } else { Vec::new() };
        let base = std::mem::take(&mut self.base);
        let ends = if self.under_way.is_some() {
            self.cut.get_or_insert((reason, base));
            Vec::new()
        } else {
            let (ends, left) = base.into_ends(reason, &self.presented);
            self.base = left;
            ends
        };
        self.values = Values::default();
        let before = self.throw_away();
        // What became of the others may be unknown, which is an error; the session itself ends before.
        self.work.ends = before.into_iter().chain(ends).chain(others).collect();
    }

    /// Says whether the login that is wanted is found by the next one, by what it comes from.
    pub(crate) fn is_found_by_login(&self) -> bool {
        self.work.login().is_some() && !self.presented.is_empty()
    }

    /// There is nobody to tell: a session that was created is nobody's then. Says whether a new id was to be told.
    pub(crate) fn note_unreachable(&mut self) -> bool {
        if !matches!(self.news, News::Issued(_)) {
            return false;
        }
        self.news = News::Nothing;
        if let Some(stored) = self.base.stored().filter(|stored| stored.meta.origins.is_empty()) {
            let key = stored.key.clone();
            self.chores.push(Chore::EndUnreachable(key));
        }
        true
    }

    /// Puts the work of a commit that failed, of whose ends so many were done, in front of what came meanwhile.
    pub(crate) fn put_back(&mut self, work: Arc<Work>, ended: usize) {
        let mut work = Arc::unwrap_or_clone(work);
        work.ends.drain(..ended);
        work.extend(std::mem::take(&mut self.work));
        self.work = work;
    }

    /// Returns what a commit that failed was about.
    pub(crate) fn lost(&self) -> &Work {
        self.under_way.as_deref().unwrap_or(&self.work)
    }

    /// Forgets what is not going to be stored; the handler sees what is.
    pub(crate) fn forget_work(&mut self) {
        self.throw_away();
        self.trash.extend(self.under_way.take());
    }

    /// Begins with no work, and returns the ends of the one that was there.
    pub(crate) fn throw_away(&mut self) -> Vec<End> {
        let mut work = std::mem::take(&mut self.work);
        let ends = std::mem::take(&mut work.ends);
        if work.changes.has_closures() {
            self.trash.push(Arc::new(work));
        }
        ends
    }

    pub(crate) fn set_age(&mut self, age: Age) {
        if self.meta().age != age {
            self.work.age = Some(age);
        }
    }
}
