//! What one request knows about its session, and what it wants to become of it.

use std::sync::Arc;

use serde_json::value::RawValue;
use session_core::{OwnerId, Record, Revision, SessionId, SessionKey, Timestamp};

use crate::Error;
use crate::changes::{Change, ChangeLog};
use crate::draft::{Draft, LOGIN, is_own};
use crate::events::Reason;
use crate::express::{self, Express, Ledger, Unset};
use crate::login::Login;

/// A stored session, as it was last seen.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) id: SessionId,
    pub(crate) key: SessionKey,
    pub(crate) record: Record,
    pub(crate) revision: Revision,
}

/// The session that the handle is about at the moment. A logout ends one line and begins the next.
#[derive(Clone, Default)]
pub(crate) enum Line {
    /// Nothing is stored yet.
    #[default]
    New,
    Stored(Stored),
    /// It was stored and has ended without this request's doing. It stays so.
    Gone(SessionKey),
    /// The request presents it, and it could not be loaded. Nothing is written to it, or in its place.
    Unloaded(SessionKey),
}

/// A stored session that this request ended and that is not deleted yet.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) key: SessionKey,
    pub(crate) reason: Reason,
}

/// What is wanted beside changes of the data.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    pub(crate) owner: Option<OwnerId>,
    pub(crate) rotate: bool,
    pub(crate) touch: bool,
    /// Counts the wishes, so that one that comes while others are being fulfilled is not taken for fulfilled.
    pub(crate) asked: u64,
}

/// What the response will tell the browser.
#[derive(Clone, Default)]
pub(crate) enum CookieOrder {
    #[default]
    LeaveAlone,
    /// The session was created or rotated in this request.
    Issue(SessionId, Timestamp),
    /// The session lives longer now; told only to browsers that keep the cookie for a limited time.
    Refresh(SessionId, Timestamp),
    Remove,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) line: Line,
    /// Counts the lines, so that a save that was under way when its line ended does not bring it back.
    pub(crate) lines: u64,
    pub(crate) ended: Vec<Ended>,
    pub(crate) draft: Draft,
    pub(crate) log: ChangeLog,
    pub(crate) wishes: Wishes,
    pub(crate) cookie: CookieOrder,
    pub(crate) head_sent: bool,
    /// The commit failed.
    pub(crate) has_failed: bool,
    /// What the client presents: what the request did, until a response tells it something else.
    pub(crate) presented: Option<SessionKey>,
    /// This request made that key dead, or tried to.
    pub(crate) is_departed: bool,
    /// The cookie that the request presented is not what would be set now: an old secret signed it, or its age has changed.
    pub(crate) is_outdated: bool,
    /// A login was stored, and the user's other sessions have not been counted since.
    pub(crate) is_limit_due: bool,
    /// What the rules of Express need to know; `None` under the native ones.
    pub(crate) ledger: Option<Box<Ledger>>,
}

impl State {
    pub(crate) fn loaded(stored: Stored) -> Self {
        let draft = Draft::new(stored.record.data.clone());
        Self { presented: Some(stored.key.clone()), line: Line::Stored(stored), draft, ..Self::default() }
    }

    /// The request came with a key that is not stored.
    pub(crate) fn unknown(key: SessionKey) -> Self {
        Self { presented: Some(key), ..Self::default() }
    }

    /// The request came with a key that was made dead while it was on its way.
    pub(crate) fn gone(key: SessionKey) -> Self {
        Self { line: Line::Gone(key.clone()), ..Self::unknown(key) }
    }

    /// The store failed, and the policy is to go on without it.
    pub(crate) fn unloaded(key: SessionKey) -> Self {
        Self { line: Line::Unloaded(key.clone()), ..Self::unknown(key) }
    }

    pub(crate) fn stored(&self) -> Option<&Stored> {
        match &self.line {
            Line::Stored(stored) => Some(stored),
            Line::New | Line::Gone(_) | Line::Unloaded(_) => None,
        }
    }

    /// Returns the owner that the session will have.
    pub(crate) fn owner(&self) -> Option<&OwnerId> {
        self.wishes.owner.as_ref().or_else(|| self.stored()?.record.owner.as_ref())
    }

    /// Hands a session that was unset over to be deleted, if the options say so.
    pub(crate) fn fulfil_unset(&mut self, express: &Express) {
        if express.unset == Unset::Destroy && self.ledger.as_ref().is_some_and(|ledger| ledger.is_unset()) {
            self.end(Reason::Unset);
        }
    }

    /// Refuses a name that is not the application's.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), Error> {
        let is_reserved = is_own(name) || (self.ledger.is_some() && express::is_reserved(name));
        if is_reserved { Err(Error::ReservedName) } else { Ok(()) }
    }

    /// Sets (`Some`) or removes a value.
    pub(crate) fn put(&mut self, name: &str, value: Option<Arc<RawValue>>) {
        let name: Arc<str> = name.into();
        self.draft.put(&name, value.clone());
        self.log.push(Change::Put(name, value));
    }

    pub(crate) fn wish(&mut self, wish: impl FnOnce(&mut Wishes)) {
        wish(&mut self.wishes);
        self.wishes.asked += 1;
    }

    /// Sets the owner and asks for a new id. Another user's session ends first, with its data.
    pub(crate) fn login(&mut self, owner: OwnerId, now: Timestamp) {
        let is_another = self.owner().is_some_and(|current| *current != owner);
        let at = self.draft.login().filter(|_| self.owner().is_some() && !is_another).map_or(now, |login| login.at);
        if is_another {
            self.end(Reason::AnotherUser);
        }
        if let Line::Gone(_) = self.line {
            self.line = Line::New;
        }
        self.replace();
        self.put(LOGIN, Login { at, authenticated_at: now }.to_value());
        self.wish(|wishes| {
            wishes.owner = Some(owner);
            wishes.rotate = true;
        });
    }

    /// Notes that the session gets another id.
    pub(crate) fn replace(&mut self) {
        if let Some(ledger) = &mut self.ledger {
            ledger.replace();
        }
    }

    /// Decides what the browser will be told, after what it would have been told so far.
    pub(crate) fn order(&mut self, order: CookieOrder) {
        self.cookie = match (&self.cookie, order) {
            // A cookie that the browser does not have yet is still to be issued.
            (CookieOrder::Issue(..), CookieOrder::Refresh(id, expires_at)) => CookieOrder::Issue(id, expires_at),
            (_, order) => order,
        };
    }

    /// Ends the session and begins an empty, anonymous one, which is stored only if something is set. What is gone stays so.
    pub(crate) fn end(&mut self, reason: Reason) {
        self.line = match std::mem::take(&mut self.line) {
            Line::New => Line::New,
            Line::Stored(stored) => {
                self.ended.push(Ended { key: stored.key, reason });
                Line::New
            }
            Line::Unloaded(key) => {
                self.ended.push(Ended { key, reason });
                Line::New
            }
            Line::Gone(key) => Line::Gone(key),
        };
        if let Some(ledger) = &mut self.ledger {
            ledger.end(reason);
        }
        self.lines += 1;
        self.forget_changes();
    }

    /// Forgets all that was not done: no handle that lives on does it later.
    pub(crate) fn forget(&mut self) {
        self.forget_changes();
        self.ended.clear();
    }

    /// Forgets what is not going to be stored; the handler sees what is.
    pub(crate) fn forget_changes(&mut self) {
        self.draft = self.stored().map_or_else(Draft::default, |stored| Draft::new(stored.record.data.clone()));
        self.forget_wishes();
    }

    /// Forgets what is not going to be stored, and shows the handler what it wrote all the same.
    pub(crate) fn forget_wishes(&mut self) {
        self.log.forget(self.log.last());
        self.wishes = Wishes { asked: self.wishes.asked, ..Wishes::default() };
    }

    /// Says whether something would be lost if nobody committed.
    pub(crate) fn has_changes(&self) -> bool {
        !self.ended.is_empty() || !self.log.is_empty() || self.wishes.owner.is_some() || self.wishes.rotate
    }
}
