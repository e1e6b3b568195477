//! The handle that a request's handler reads and writes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use session_core::{OwnerId, SessionKey, Timestamp};

use crate::changes::{Change, Modify};
use crate::draft::{Age, MAX_AGE, read, text, write};
use crate::events::Reason;
use crate::shared::Shared;
use crate::state::{Line, State};
use crate::{CookiePolicy, Error};

/// The session of one request: values by name, the user it belongs to, and its end.
///
/// Reading and writing is synchronous and works on what was loaded; what changed is stored when the response is ready, before
/// its head is sent. When other requests changed the session meanwhile, the changes of this one are made again, name by name,
/// on what is stored then. Clones are handles of the same session. `Debug` shows the key and never a value.
///
/// A session that nobody wrote to is not stored, and one whose last value was removed is destroyed, unless it has an owner.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Shared>);

impl Session {
    /// Reads a value, or `None` if nothing is stored under the name. A value of another type is an error, never a default.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let found = self.0.state().draft.find(name);
        found.read(name)
    }

    /// Stores a value under a name. A value that has the same JSON text already is not a change.
    ///
    /// Of two requests that set one name at once, the one that commits last wins; to add to what is there, use
    /// [`modify`](Session::modify).
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), Error> {
        let value = write(value)?;
        let mut state = self.0.state();
        state.check_name(name)?;
        if text(state.draft.find(name).raw(name)) != Some(value.get()) {
            state.put(name, Some(value));
        }
        Ok(())
    }

    /// Removes a value, if there is one.
    pub fn remove(&self, name: &str) {
        let mut state = self.0.state();
        if state.check_name(name).is_ok() && state.draft.find(name).raw(name).is_some() {
            state.put(name, None);
        }
    }

    /// Reads a value and removes it, as for a message that is shown once; `None` if nothing is stored under the name.
    ///
    /// A value of another type is an error, and stays. Two requests at once may both read the value.
    pub fn take<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.on_current(
            name,
            |before| before.map(read).transpose(),
            |state, value| {
                if value.is_some() {
                    state.put(name, None);
                }
            },
        )
    }

    /// Changes a value in place, beginning with the type's default if nothing is stored under the name.
    ///
    /// The closure runs now, and again on the value of that moment for each time that another request wrote the session before
    /// this one commits; so nothing is lost when twenty requests add to a cart at once. It should do nothing
    /// but change the value. A closure that changes nothing stores nothing. `T` may be an `Option`.
    ///
    /// ```
    /// # fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// session.modify("cart", |cart: &mut Vec<String>| cart.push("tea".into()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn modify<T, F>(&self, name: &str, change: F) -> Result<(), Error>
    where
        T: Default + Serialize + DeserializeOwned,
        F: Fn(&mut T) + Send + Sync + 'static,
    {
        self.0.state().check_name(name)?;
        let modify: Arc<Modify> = Arc::new(move |value: Option<&RawValue>| {
            let mut value: T = value.map(read).transpose()?.unwrap_or_default();
            let before = write(&value)?;
            change(&mut value);
            let after = write(&value)?;
            Ok((after.get() != before.get()).then_some(after))
        });
        self.on_current(
            name,
            |before| modify(before),
            |state, after| {
                if let Some(after) = after {
                    let name: Arc<str> = (*name).into();
                    state.draft.put(&name, Some(after.clone()));
                    state.log.push(Change::Modify(name, modify.clone()));
                }
            },
        )
        .map(drop)
    }

    /// Removes all values, also those that other requests set before this one commits. The owner and the id stay. A stored session is
    /// written even if it had none.
    pub fn clear(&self) {
        let mut state = self.0.state();
        if !state.draft.is_empty() || state.stored().is_some() {
            state.draft.clear();
            state.log.push(Change::Clear);
        }
    }

    /// Returns the names of all values, each once.
    pub fn keys(&self) -> Vec<String> {
        self.0.state().draft.keys()
    }

    /// Says whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.state().draft.is_empty()
    }

    /// Returns the user that the session belongs to, also when the login is of this request; `None` for anonymous sessions.
    pub fn owner(&self) -> Option<OwnerId> {
        self.0.state().owner().cloned()
    }

    /// Returns what the session is stored under, `None` if it is not stored (yet). It tells "this device" in a list of
    /// a user's sessions, and may be shown; it lets nobody in.
    pub fn key(&self) -> Option<SessionKey> {
        self.0.state().stored().map(|stored| stored.key.clone())
    }

    /// Returns when the stored session began; `None` if it is not stored (yet).
    pub fn created_at(&self) -> Option<Timestamp> {
        self.0.state().stored().map(|stored| stored.record.created_at)
    }

    /// Returns when the stored session ends if nobody uses it any more; `None` if it is not stored (yet).
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.state().stored().map(|stored| stored.record.expires_at)
    }

    /// Says whether the session is not stored (yet): nobody wrote to it, or it was ended.
    pub fn is_new(&self) -> bool {
        self.0.state().stored().is_none()
    }

    /// Says whether the session could not be loaded and the request goes on without it, as the
    /// [policy](crate::LoadFailure::Anonymous) says. It looks empty and anonymous, and what is set on it is refused at the commit
    /// with [`Error::ReadOnly`].
    pub fn is_read_only(&self) -> bool {
        matches!(self.0.state().line, Line::Unloaded(_))
    }

    /// Makes the session this user's, under a new id (S11). The old id is dead when the response is sent.
    ///
    /// What an anonymous visitor had in the session stays. A session that belonged to another user ends, with its data, and a
    /// new one begins. If the session was ended by another request meanwhile, a new one begins with what this
    /// request wrote: a login is a new authentication, so it brings nothing back.
    pub fn login(&self, owner: OwnerId) {
        let now = self.0.config.now();
        self.0.state().login(owner, now);
    }

    /// Gives the session a new id and keeps all else, for a change of privileges that is not a login.
    pub fn rotate(&self) {
        let mut state = self.0.state();
        if state.stored().is_some() {
            state.replace();
        }
        state.wish(|wishes| wishes.rotate = true);
    }

    /// Ends the session and begins an empty, anonymous one under a new id, which is stored if something is set.
    pub fn regenerate(&self) {
        self.0.state().end(Reason::Regenerated);
    }

    /// Ends the session: the record is removed from the store, and the cookie from the browser.
    ///
    /// If the store cannot do it, the response is a 503 (S13). What is set afterwards goes into a new, anonymous session.
    ///
    /// It ends the id that the request presented. If another tab has just changed that, by a login, [`rotate`](Session::rotate) or
    /// [`reauthenticate`](Session::reauthenticate), the session lives on under the new one: the response is sent, and an event says so.
    pub fn logout(&self) {
        self.0.state().end(Reason::Logout);
    }

    /// Sets how long this session, and its cookie, live without use: `None` for a cookie that the browser forgets when it closes, and the
    /// configuration's idle time-out.
    ///
    /// It is for a login with "remember me": in place of the configuration's idle time-out and the cookie's age, until it is set
    /// again or the session ends. It is stored with the session, and begins none. What is less than a second counts as one, what
    /// is more than 400 days as that, and an absolute lifetime still ends the session earlier.
    ///
    /// Under the rules of [Express](crate::express) it is `req.session.cookie.maxAge`, without these bounds: it is stored when the session
    /// is, so with `resave: false` it is lost unless a value changes too.
    pub fn set_max_age(&self, max_age: Option<Duration>) {
        let mut state = self.0.state();
        if let Some(ledger) = &mut state.ledger {
            let cookie = ledger.cookie.clone();
            ledger.cookie = max_age.map_or(cookie.clone().without_max_age(), |age| cookie.with_max_age(age));
            return;
        }
        let age = match max_age {
            Some(age) => Age::Own(age.clamp(Duration::from_secs(1), CookiePolicy::LONGEST_MAX_AGE)),
            None if self.0.config.cookie_for(&self.0.client).max_age().is_some() => Age::OfBrowser,
            None => Age::OfPolicy,
        };
        if state.draft.age() != age {
            state.is_outdated = true;
            state.put(MAX_AGE, age.to_value());
        }
    }

    /// Drops what this request did to its session, but for what was saved.
    ///
    /// Under the rules of [Express](crate::express) it is `req.session = null`: nothing that is set afterwards is stored either, and
    /// the stored session is not even touched, or it is deleted, as the options say.
    pub fn unset(&self) {
        let mut state = self.0.state();
        state.forget_changes();
        if let Some(ledger) = &mut state.ledger {
            ledger.unset();
        }
    }

    /// Extends the session at the end of the request, however recently it was extended.
    ///
    /// Without it the session is extended too, if that gains at least the
    /// [throttle](crate::SessionConfig::with_touch_throttle).
    pub fn touch(&self) {
        self.0.state().wish(|wishes| wishes.touch = true);
    }

    /// Computes on a value without holding the lock, and keeps the outcome if the value is still the same.
    fn on_current<R>(
        &self,
        name: &str,
        compute: impl Fn(Option<&RawValue>) -> Result<R, Error>,
        keep: impl Fn(&mut State, &R),
    ) -> Result<R, Error> {
        /// More tasks than this do not share one request; a closure that changes its own value by another handle does not end.
        const RUNS: u32 = 100;
        for _ in 0..RUNS {
            let before = self.0.state().draft.find(name);
            let outcome = compute(before.raw(name))?;
            let mut state = self.0.state();
            if state.draft.find(name).is_still(&before, name) {
                keep(&mut state, &outcome);
                return Ok(outcome);
            }
        }
        Err(Error::Contention)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        let (state, key) = match &state.line {
            Line::New => ("new", None),
            Line::Stored(stored) => ("stored", Some(&stored.key)),
            Line::Gone(key) => ("gone", Some(key)),
            Line::Unloaded(key) => ("not loaded", Some(key)),
        };
        f.debug_struct("Session").field("state", &state).field("key", &key).finish_non_exhaustive()
    }
}
