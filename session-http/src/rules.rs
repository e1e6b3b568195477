//! The seam between the way of a request and the rules by which it goes: [`Native`](crate::Native), or those of another program, in a crate of
//! their own.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use session_core::{Data, SessionId, Timestamp};

use crate::RequestHead;
pub use crate::arrived::{AnyVisit, Arrived};
pub use crate::decide::Due;
pub use crate::events::{Reason, bad_signature, invalid_cookie};
pub use crate::few::Few;
use crate::meta::Meta;
use crate::state::{Base, Stored};
use crate::tell::News;
use crate::work::Work;

/// How sessions are found in requests, kept, decided on and told, for all requests of an application.
///
/// Applications take [`Native`](crate::Native) without naming it; another program's rules are for those that share their sessions with it.
pub trait Rules: fmt::Debug + Send + Sync + 'static {
    /// Looks at a request that arrives, without any I/O.
    fn arrive(&self, head: &RequestHead<'_>, now: Timestamp) -> Arrived;

    /// Knows nothing of the request but that it is there, for layers that cannot show it.
    fn arrive_unseen(&self, now: Timestamp) -> AnyVisit;

    /// Says whether a client could present this id again.
    fn can_present(&self, id: &SessionId) -> bool;
}

/// One request under these rules.
pub trait Visit: Any + Send {
    /// Finds the ids that the request presents with a valid signature, each once, without any I/O (S4).
    fn presented(&mut self, headers: &HeaderMap) -> Few<SessionId>;

    /// Notes which of them has the session.
    fn chosen(&mut self, _id: &SessionId) {}

    /// Says whether the session is loaded, and extended or stored, though no handler asks for it.
    fn is_eager(&self) -> bool {
        false
    }

    /// Takes out of loaded data what the rules keep there, and returns the application's values.
    fn unpack(&mut self, data: &Data) -> Data {
        data.clone()
    }

    /// Puts it in again, if there is something.
    fn pack(&self, _values: &Data, _now: Timestamp) -> Option<Data> {
        None
    }

    /// Says whether a name is the rules' and not the application's.
    fn is_reserved(&self, _name: &str) -> bool {
        false
    }

    /// Says whether the order of the names is a part of the values, so that one that was removed and set again has changed.
    fn minds_order(&self) -> bool {
        false
    }

    /// Returns when a session that is used now ends, where the rules know more than the policy.
    fn ends_at(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Decides what is due.
    fn due(&self, facts: &Facts<'_>) -> Due;

    /// Says whether a use that gains this much time is worth a touch, of which the policy says how much it has to gain.
    fn is_worth_a_touch(&self, gain: Duration, throttle: Duration) -> bool {
        !gain.is_zero() && gain >= throttle
    }

    /// Says whether a reload drops the changes that are not stored, and refuses if nothing is stored.
    fn reloads_anew(&self) -> bool {
        false
    }

    /// Says whether a session that was unset ends with the response.
    fn ends_unset(&self) -> bool {
        false
    }

    /// Says whether changes of a session that has ended are dropped without an error, whatever the request's method; those that are about who
    /// is who are not.
    fn drops_quietly(&self) -> bool {
        false
    }

    /// Hears what happened to the session.
    fn note(&mut self, _note: Note<'_>) {}

    /// Says whether an age of the session's own is the rules' to keep, and takes it then.
    fn takes_age(&mut self, _age: AgeWish) -> bool {
        false
    }

    /// Returns the age that it took.
    fn own_age(&self) -> Option<Duration> {
        None
    }

    /// Returns the longest age of a browser's cookie, as far as the rules set one.
    fn cookie_age(&self) -> Option<Duration>;

    /// Decides what the response tells the client.
    fn tell(&self, telling: &Telling<'_>) -> Told;

    /// Returns the request's header in which the id travels; without one no cache keeps a response whose session was read.
    fn varies_by(&self) -> Option<HeaderName>;

    /// Copies it, for a commit that runs while the handler goes on.
    fn snapshot(&self) -> AnyVisit;

    /// Takes over what a commit found, from the copy that it had.
    fn follow(&mut self, _committed: AnyVisit) {}
}

/// What happens to a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Note<'n> {
    /// A handler ended it.
    Ended(Reason),
    /// A handler wants another id for it.
    Rotated,
    /// A handler unset it.
    Unset,
    /// A handler saved these values.
    Saved(&'n Data),
    /// A handler loaded it again.
    Reloaded,
    /// The commit failed.
    Failed,
}

/// How long a handler wants its session to live without use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeWish {
    /// So long, and its cookie too.
    For(Duration),
    /// The cookie until the browser closes.
    UntilClosed,
    /// As the configuration says.
    Configured,
}

/// When a decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A handler saves.
    Save,
    /// The response is ready.
    End,
}

/// What a decision is made on.
pub struct Facts<'f> {
    pub(crate) occasion: Occasion,
    pub(crate) stored: Option<&'f Stored>,
    /// It has ended, or could not be loaded.
    pub(crate) is_gone: bool,
    pub(crate) work: &'f Work,
    /// The values as they are to be, if they differ from those that are stored.
    pub(crate) changed: Option<&'f Data>,
    /// The owner, or what the session keeps of its own, differs.
    pub(crate) is_own_changed: bool,
    pub(crate) has_owner: bool,
    pub(crate) rotates: bool,
    pub(crate) is_touch_due: bool,
}

impl<'f> Facts<'f> {
    /// What is known where nothing is going to be written.
    pub(crate) fn idle(occasion: Occasion, base: &'f Base, work: &'f Work) -> Self {
        let stored = base.stored();
        Self {
            occasion,
            stored,
            is_gone: matches!(base, Base::Ended { .. } | Base::Unread { .. }),
            work,
            changed: None,
            is_own_changed: false,
            has_owner: stored.is_some_and(|stored| stored.record.owner.is_some()),
            rotates: false,
            is_touch_due: false,
        }
    }

    /// Returns when the decision is made.
    pub fn occasion(&self) -> Occasion {
        self.occasion
    }

    /// Returns the id that the session is stored under, `None` if it is not stored.
    pub fn id(&self) -> Option<&SessionId> {
        self.stored?.id.as_ref()
    }

    /// Says whether the session is stored.
    pub fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Says whether nothing can be stored, as the session has ended, or was not loaded.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Says whether a handler set something, or logged a user in, that is not stored yet.
    pub fn is_asked(&self) -> bool {
        !self.work.changes.is_empty() || self.work.login().is_some()
    }

    /// Returns the values as they are now.
    pub fn values(&self) -> Data {
        let stored = || self.stored.map_or_else(Data::empty, |stored| stored.record.data.clone());
        self.changed.cloned().unwrap_or_else(stored)
    }

    /// Says whether the values, the owner or what the session keeps of its own differ from what is stored.
    pub fn is_changed(&self) -> bool {
        self.changed.is_some() || self.is_own_changed
    }

    /// Says whether the owner or what the session keeps of its own differs from what is stored.
    pub fn is_own_changed(&self) -> bool {
        self.is_own_changed
    }

    /// Says whether no value and no owner is left.
    pub fn is_empty(&self) -> bool {
        if self.has_owner || self.work.changes.sets_something() {
            return false;
        }
        let has_values = |data: &Data| data.has_names_but(crate::meta::is_own);
        let stored = || self.stored.is_some_and(|stored| has_values(&stored.record.data));
        !self.changed.map_or_else(stored, has_values)
    }

    /// Says whether another id is wanted.
    pub fn rotates(&self) -> bool {
        self.rotates
    }

    /// Says whether a use moves the expiry by enough to be worth a touch.
    pub fn is_touch_due(&self) -> bool {
        self.is_touch_due
    }
}

/// What the rules look at when they tell the client.
pub struct Telling<'t> {
    pub(crate) news: &'t News,
    pub(crate) meta: &'t Meta,
    /// The session as it is at the end of the request.
    pub(crate) facts: Facts<'t>,
    pub(crate) now: Timestamp,
}

impl<'t> Telling<'t> {
    /// Returns what is stored, and what the handler made of it; for rules that are [eager](Visit::is_eager).
    pub fn facts(&self) -> &Facts<'t> {
        &self.facts
    }

    /// Returns the time by which the session was stored in this request, if it was, so that the client is told of the same end; else the
    /// present one.
    pub fn now(&self) -> Timestamp {
        match self.news {
            News::Issued(life) | News::Extended(life, _) => life.now,
            News::Nothing | News::Ended => self.now,
        }
    }
}

/// What a response tells the client.
pub enum Told {
    /// Nothing.
    Nothing,
    /// A line of `Set-Cookie`, in place of those of the same name, domain and path; and further lines that remove earlier cookies.
    Cookie(Box<(HeaderValue, Vec<HeaderValue>)>),
    /// What this does to the response's headers, by a transport of one's own.
    By(Box<dyn FnOnce(&mut HeaderMap) + Send>),
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("occasion", &self.occasion)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Telling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Cookie(_) => "a cookie",
            Self::By(_) => "by a transport",
        })
    }
}
