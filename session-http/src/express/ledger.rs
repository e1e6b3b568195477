//! What express-session decides at the end of a request, in its own words: `cookieId`, `originalHash`, `savedHash`.

use session_core::{Data, SessionId, Timestamp};

use crate::arrival::Presented;
use crate::events::Reason;
use crate::state::{Line, State};

use super::json::is_same;
use super::{Express, ExpressCookie, Taken};

/// What one request remembers of its session for these decisions.
pub(crate) struct Ledger {
    /// The id that the request's cookie presented with a valid signature: `cookieId`.
    presented: Option<SessionId>,
    /// The values as they were loaded, or those of a new session: `originalHash`.
    original: Data,
    /// The values as they were stored last: `savedHash`.
    saved: Option<Data>,
    /// The id has changed since then: by `regenerate`, a login or a rotation.
    is_replaced: bool,
    absence: Option<Absence>,
    pub(crate) cookie: ExpressCookie,
    /// The cookie before a handler changed it.
    given: ExpressCookie,
    /// The cookie that a session which begins in this request gets.
    fresh: ExpressCookie,
    pub(crate) is_secure: bool,
}

/// `req.session` is not there any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// It was destroyed; what is set afterwards begins a new one.
    Destroyed,
    Unset,
}

/// When the decision is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A handler saves.
    Save,
    /// The response is ready.
    End,
}

/// Which call of the store is due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    Touch,
    Write,
}

impl Ledger {
    /// Begins a request that presented an id and found nothing, or that presented none.
    pub(crate) fn generated(express: &Express, presented: &Presented, now: Timestamp) -> Self {
        let cookie = express.begin_cookie(&presented.cookie, now, presented.is_secure);
        Self {
            presented: presented.id.clone(),
            original: Data::empty(),
            saved: None,
            is_replaced: false,
            absence: None,
            given: cookie.clone(),
            fresh: cookie.clone(),
            cookie,
            is_secure: presented.is_secure,
        }
    }

    /// Goes on with what was loaded: the values, and the cookie that was stored with them.
    pub(crate) fn loaded(mut self, express: &Express, taken: Taken) -> Self {
        self.saved = (!express.saves_unchanged).then(|| taken.original.clone());
        self.original = taken.original;
        self.restore(taken.cookie);
        self
    }

    /// Takes the cookie that is stored now, if there is one.
    pub(crate) fn restore(&mut self, cookie: Option<ExpressCookie>) {
        self.cookie = cookie.unwrap_or_else(|| self.fresh.clone());
        self.given = self.cookie.clone();
    }

    /// Takes the cookie that another request stored meanwhile, unless this one changed it too.
    pub(crate) fn follow(&mut self, cookie: Option<ExpressCookie>) {
        if self.cookie == self.given {
            self.restore(cookie);
        }
    }

    /// The session gets another id.
    pub(crate) fn replace(&mut self) {
        self.is_replaced = true;
    }

    /// The session ends, for one of these reasons.
    pub(crate) fn end(&mut self, reason: Reason) {
        self.is_replaced = true;
        self.restore(None);
        self.absence = match reason {
            Reason::Logout => Some(Absence::Destroyed),
            Reason::Unset => Some(Absence::Unset),
            Reason::Regenerated | Reason::AnotherUser | Reason::Emptied | Reason::EndedByOwner | Reason::TooMany => {
                None
            }
        };
    }

    pub(crate) fn unset(&mut self) {
        self.absence = Some(Absence::Unset);
    }

    pub(crate) fn is_unset(&self) -> bool {
        self.absence == Some(Absence::Unset)
    }

    /// The handler's `save` wrote these values. The methods of a session that was regenerated are the plain ones, which do not
    /// remember that.
    pub(crate) fn note_saved(&mut self, values: Data) {
        if !self.is_replaced {
            self.saved = Some(values);
        }
    }

    /// Decides which call of the store is due.
    pub(crate) fn action(&self, state: &State, express: &Express, occasion: Occasion) -> Action {
        if self.is_absent(state) || matches!(state.line, Line::Gone(_) | Line::Unloaded(_)) {
            return Action::Nothing;
        }
        let values = state.draft.current();
        let is_saved = !self.is_replaced && self.saved.as_ref().is_some_and(|saved| is_same(saved, &values));
        let is_quiet = !express.saves_uninitialized && self.saved.is_none() && !self.is_presented(state);
        let saves = if is_quiet { self.is_modified(&values) } else { !is_saved };
        match occasion {
            Occasion::Save => Action::Write,
            Occasion::End if saves => Action::Write,
            Occasion::End if self.is_presented(state) => Action::Touch,
            Occasion::End => Action::Nothing,
        }
    }

    /// Decides whether the response sets the cookie.
    pub(crate) fn sets_cookie(&self, state: &State, express: &Express) -> bool {
        if self.is_absent(state) || (self.cookie.is_secure() && !self.is_secure) {
            return false;
        }
        let is_modified = self.is_modified(&state.draft.current());
        if self.is_presented(state) {
            // A session that a handler's save gave a new id is told also if the commit then failed.
            !state.has_failed && (express.is_rolling || (self.cookie.has_end() && is_modified))
        } else {
            express.saves_uninitialized || is_modified
        }
    }

    fn is_modified(&self, values: &Data) -> bool {
        self.is_replaced || !is_same(&self.original, values)
    }

    /// Says whether the session is the one whose id the request presented.
    fn is_presented(&self, state: &State) -> bool {
        state.stored().is_some_and(|stored| self.presented.as_ref() == Some(&stored.id))
    }

    fn is_absent(&self, state: &State) -> bool {
        let is_begun_anew = state.stored().is_some() || !state.log.is_empty() || state.wishes.owner.is_some();
        match self.absence {
            None => false,
            Some(Absence::Unset) => true,
            Some(Absence::Destroyed) => !is_begun_anew,
        }
    }
}
