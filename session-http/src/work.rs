//! What a request wants of its session, until a commit takes it.

use session_core::{OwnerId, Record, SessionKey, Timestamp};

use crate::changes::Changes;
use crate::events::Reason;
use crate::meta::{Age, Login, Meta};

/// What a request wants of its session. A commit takes it out of the state, and puts it back in front if it fails.
#[derive(Clone, Default)]
pub(crate) struct Work {
    /// The sessions that are to be deleted, before all else.
    pub(crate) ends: Vec<End>,
    pub(crate) changes: Changes,
    pub(crate) owner: Option<Owner>,
    /// When the user proved once more who they are.
    pub(crate) proof: Option<Timestamp>,
    pub(crate) age: Option<Age>,
    pub(crate) until: Option<Option<Timestamp>>,
    pub(crate) rotates: bool,
    pub(crate) touches: bool,
    /// What the closures showed was computed on other values than those that are stored.
    pub(crate) is_stale: bool,
    /// An earlier attempt was not answered, and may have been stored.
    pub(crate) is_unsure: bool,
}

/// What becomes of the session's owner.
#[derive(Clone, PartialEq)]
pub(crate) enum Owner {
    Login(OwnerId, Timestamp),
    Forgotten,
}

/// A session that is to be deleted.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) key: SessionKey,
    pub(crate) reason: Reason,
    pub(crate) seen: Seen,
}

/// What this request saw of a session that is to be deleted.
#[derive(Clone)]
pub(crate) enum Seen {
    /// Nothing: it was not looked up.
    Nothing,
    /// It was live when it was loaded, and this was found.
    Live(Record),
    /// It is known to have died a moment before.
    Dead,
    /// It was not stored any more.
    Absent,
    /// It cannot be read, so the store does not know whether it is live.
    Unreadable,
}

impl End {
    pub(crate) fn of(key: &SessionKey, reason: Reason, seen: Seen) -> Self {
        Self { key: key.clone(), reason, seen }
    }

    /// Returns what was loaded, if it was live then.
    pub(crate) fn loaded(&self) -> Option<&Record> {
        if let Seen::Live(record) = &self.seen { Some(record) } else { None }
    }
}

impl Work {
    /// Says whether nothing is wanted at all.
    pub(crate) fn is_idle(&self) -> bool {
        !self.asks() && !self.touches
    }

    /// Says whether something would be lost if nobody committed.
    pub(crate) fn asks(&self) -> bool {
        !self.ends.is_empty() || self.asks_more()
    }

    /// Says whether something is wanted beside the end of sessions.
    pub(crate) fn asks_more(&self) -> bool {
        self.changes_id() || !self.changes.is_empty() || self.age.is_some() || self.until.is_some()
    }

    /// Says whether it must not be dropped without an error, whatever the request's method: who is who depends on it.
    pub(crate) fn is_loud(&self) -> bool {
        !self.ends.is_empty() || self.changes_id()
    }

    /// Says whether it is about who is who, or under which id.
    pub(crate) fn changes_id(&self) -> bool {
        self.owner.is_some() || self.proof.is_some() || self.rotates
    }

    /// Returns the user who logs in.
    pub(crate) fn login(&self) -> Option<&OwnerId> {
        match &self.owner {
            Some(Owner::Login(owner, _)) => Some(owner),
            Some(Owner::Forgotten) | None => None,
        }
    }

    /// Returns the owner after it, of a session that had one before or none.
    pub(crate) fn owner_after(&self, before: Option<&OwnerId>) -> Option<OwnerId> {
        match &self.owner {
            Some(Owner::Login(owner, _)) => Some(owner.clone()),
            Some(Owner::Forgotten) => None,
            None => before.cloned(),
        }
    }

    /// Returns what the session keeps of its own after it.
    pub(crate) fn meta_after(&self, before: &Meta, owner: Option<&OwnerId>) -> Meta {
        let mut meta = before.clone();
        match &self.owner {
            // The first login's time stays: a limit of sessions goes by it.
            Some(Owner::Login(user, at)) => {
                let first = meta.login.filter(|_| owner == Some(user)).map_or(*at, |login| login.at);
                meta.login = Some(Login { at: first, proved_at: *at });
            }
            Some(Owner::Forgotten) => meta.login = None,
            None => {}
        }
        if let Some(proved_at) = self.proof {
            meta.login = Some(Login { at: meta.login.map_or(proved_at, |login| login.at), proved_at });
        }
        meta.age = self.age.unwrap_or(meta.age);
        meta.until = self.until.unwrap_or(meta.until);
        meta
    }

    /// Wants no new id any more, nor what comes with one.
    pub(crate) fn forget_id(&mut self) {
        self.rotates = false;
        self.proof = None;
        self.owner = self.owner.take().filter(|owner| *owner == Owner::Forgotten);
    }

    /// Wants all of this, and then what came later.
    pub(crate) fn extend(&mut self, later: Self) {
        self.ends.extend(later.ends);
        self.changes.extend(later.changes);
        self.owner = later.owner.or(self.owner.take());
        self.proof = later.proof.or(self.proof);
        self.age = later.age.or(self.age);
        self.until = later.until.or(self.until);
        self.rotates |= later.rotates;
        self.touches |= later.touches;
        self.is_stale |= later.is_stale;
        self.is_unsure |= later.is_unsure;
    }
}
