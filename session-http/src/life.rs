//! What becomes of the session itself: where it is stored, how long it lives, its id and its end.

use std::time::Duration;

use session_core::{SessionKey, Timestamp};

use crate::events::Reason;
use crate::meta::Age;
use crate::rules::{AgeWish, Note};
use crate::state::Base;
use crate::{CookiePolicy, Session};

impl Session {
    /// Returns what the session is stored under, `None` if it is not stored (yet). It tells "this device" in a list of
    /// a user's sessions, and may be shown; it lets nobody in.
    pub fn key(&self) -> Option<SessionKey> {
        self.0.with_state(|state| state.stored().map(|stored| stored.key.clone()))
    }

    /// Returns when the stored session began; `None` if it is not stored (yet).
    pub fn created_at(&self) -> Option<Timestamp> {
        self.0.with_state(|state| state.stored().map(|stored| stored.record.created_at))
    }

    /// Returns when the stored session ends if nobody uses it any more; `None` if it is not stored (yet).
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.with_state(|state| state.stored().map(|stored| stored.record.expires_at))
    }

    /// Says whether the session is not stored (yet): nobody wrote to it, or it was ended.
    pub fn is_new(&self) -> bool {
        self.0.with_state(|state| state.stored().is_none())
    }

    /// Says whether this request changed the session: what it has stored by now, or is going to.
    pub fn is_changed(&self) -> bool {
        self.0.with_state(|state| state.has_changed || state.work.asks())
    }

    /// Says whether the session has ended meanwhile, or has another id, as far as this process knows: what is set is refused at the commit with
    /// [`Error::Ended`](crate::Error::Ended), and only a [`login`](crate::Session::login) begins another one, or [`begin_anew`](Session::begin_anew).
    pub fn is_ended(&self) -> bool {
        self.0.with_state(|state| state.is_ended())
    }

    /// Says whether the request presented an id with a valid signature, and there is no session under it (any more): "your session has expired",
    /// where nobody who presents nothing is told so.
    pub fn has_expired(&self) -> bool {
        self.0.with_state(|state| match state.base {
            Base::New => {
                !state.presented.is_empty() && !state.is_several && state.work.ends.is_empty() && !state.has_changed
            }
            Base::Ended { .. } => true,
            Base::Stored(_) | Base::Unread { .. } => false,
        })
    }

    /// Begins a session although the one that was presented has [ended](Session::is_ended) meanwhile. Its cookie takes the place of what the
    /// browser has: that of a login in another tab, if there was one.
    pub fn begin_anew(&self) {
        self.0.with_state(|state| {
            if state.is_ended() {
                state.base = Base::New;
            }
        });
    }

    /// Says whether the session could not be loaded and the request goes on without it, as the
    /// [policy](crate::LoadFailure::Anonymous) says. It looks empty and anonymous, and what is set on it is refused at the commit
    /// with [`Error::ReadOnly`](crate::Error::ReadOnly).
    pub fn is_read_only(&self) -> bool {
        self.0.with_state(|state| matches!(state.base, Base::Unread { .. }))
    }

    /// Gives the session a new id and keeps all else, for a change of privileges that is not a login.
    #[doc(alias("cycle_id", "renew"))]
    pub fn rotate(&self) {
        self.0.with_visit(|state, visit| {
            if let (true, Some(visit)) = (state.stored().is_some(), visit) {
                visit.note(Note::Rotated);
            }
            state.work.rotates = true;
        });
    }

    /// Ends the session and begins an empty, anonymous one under a new id, which is stored if something is set.
    pub fn regenerate(&self) {
        self.end(Reason::Regenerated);
    }

    /// Ends the session: the record is removed from the store, and the cookie from the browser.
    ///
    /// If the store cannot do it, the response is a 503 (S13). What is set afterwards goes into a new, anonymous session.
    ///
    /// It ends what the browser has, also if another tab has just changed its id by a login, a [`rotate`](Session::rotate) or a
    /// [`reauthenticate`](Session::reauthenticate); where nobody knows what the id became, the response is a 409 and the user tries again. Whoever planted
    /// an id in a browser can log its user out so, for two minutes after the login; he gets nothing else by it.
    #[doc(alias("purge", "invalidate", "revoke", "destroy"))]
    pub fn logout(&self) {
        self.end(Reason::Logout);
    }

    pub(crate) fn end(&self, reason: Reason) {
        self.0.end(reason);
    }

    /// Sets how long this session, and its cookie, live without use: `None` for a cookie that the browser forgets when it closes, and the
    /// configuration's idle time-out.
    ///
    /// It is for a login with "remember me": in place of the configuration's idle time-out and the cookie's age, until it is set
    /// again, [reset](Session::reset_max_age), or the session ends. It is stored with the session, and begins none. What is less than a second
    /// counts as one, what is more than 400 days as that, and an absolute lifetime still ends the session earlier. At a login it is set after
    /// [`login`](Session::login), which may end the session of another user with its age. A request in another tab that was on its way may extend
    /// the session once more by the age that it had; the next use corrects that.
    pub fn set_max_age(&self, max_age: Option<Duration>) {
        self.wish_age(max_age.map_or(AgeWish::UntilClosed, AgeWish::For));
    }

    /// Returns the age that the session was given; `None` if it has that of the configuration.
    pub fn max_age(&self) -> Option<Duration> {
        self.with_visit(|state, visit| match state.meta().age {
            Age::Own(age) => Some(age),
            Age::OfPolicy | Age::OfBrowser => visit.own_age(),
        })
    }

    /// Goes back to the ages of the configuration.
    pub fn reset_max_age(&self) {
        self.wish_age(AgeWish::Configured);
    }

    fn wish_age(&self, wish: AgeWish) {
        self.0.with_visit(|state, visit| {
            let Some(visit) = visit else { return };
            if visit.takes_age(wish) {
                return;
            }
            state.set_age(match wish {
                AgeWish::For(age) => Age::Own(age.clamp(Duration::from_secs(1), CookiePolicy::LONGEST_MAX_AGE)),
                AgeWish::UntilClosed if visit.cookie_age().is_some() => Age::OfBrowser,
                AgeWish::UntilClosed | AgeWish::Configured => Age::OfPolicy,
            });
        });
    }

    /// Ends this session at that instant, whatever its use; `None` takes that back. It is stored with the session, and begins none.
    pub fn end_at(&self, instant: Option<Timestamp>) {
        self.0.with_state(|state| {
            if state.meta().until != instant {
                state.work.until = Some(instant);
            }
        });
    }

    /// Drops what this request did to its session, but for what was saved, and for sessions that it ended.
    pub fn unset(&self) {
        self.0.with_visit(|state, visit| {
            state.work.ends = state.throw_away();
            if let Some(visit) = visit {
                visit.note(Note::Unset);
            }
        });
    }

    /// Extends the session at the end of the request, however recently it was extended.
    ///
    /// Without it the session is extended too, if that gains at least the [throttle](session_core::Expiry::with_touch_throttle).
    pub fn touch(&self) {
        self.0.with_state(|state| state.work.touches = true);
    }
}
