//! The handle that a request's handler reads and writes: values by name.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use session_core::Timestamp;

use crate::Error;
use crate::changes::Modify;
use crate::meta::is_own;
use crate::request::Request;
use crate::rules::Visit;
use crate::state::{Base, State};
use crate::values::{Found, read, text_of, write};

/// The session of one request: values by name, the user it belongs to, and its end.
///
/// Reading and writing is synchronous and works on what was loaded; what changed is stored when the response is ready, before
/// its head is sent. When other requests changed the session meanwhile, the changes of this one are made again, name by name,
/// on what is stored then. Clones are handles of the same session. `Debug` shows the key and never a value.
///
/// A session that nobody wrote to is not stored, and one whose last value was removed is destroyed, unless it has an owner.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Request>);

impl Session {
    /// Reads a value, or `None` if nothing is stored under the name.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableValue`] for a value of another type, never a default; see [`get_or_reset`](Session::get_or_reset).
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.find(name).read(name)
    }

    /// Reads a value that may be of another type, as an earlier version of the application stored it: that one is removed, and `None`.
    pub fn get_or_reset<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.get(name).unwrap_or_else(|_| {
            self.remove(name);
            None
        })
    }

    /// Reads a value, and stores the one that is given if there is none.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get) and [`set`](Session::set).
    pub fn get_or_insert<T: DeserializeOwned + Serialize>(&self, name: &str, value: T) -> Result<T, Error> {
        match self.get(name)? {
            Some(found) => Ok(found),
            None => self.set(name, &value).map(|()| value),
        }
    }

    /// Says whether something is stored under the name, whatever its type.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).raw(name).is_some()
    }

    /// Returns all values as one object, by their names.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableValue`] if the type does not fit.
    pub fn values<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let visible = self.with_visit(|state, visit| visible(state, visit));
        serde_json::from_str(visible.as_str())
            .map_err(|_| Error::UnreadableValue { expected: std::any::type_name::<T>() })
    }

    /// Stores a value under a name. A value that has the same JSON text already is not a change, and neither is one that ends as it began.
    ///
    /// Of two requests that set one name at once, the one that commits last wins; to add to what is there, use
    /// [`modify`](Session::modify) or [`update`](Session::update).
    ///
    /// # Errors
    ///
    /// [`Error::UnwritableValue`] for what is no JSON, [`Error::ReservedName`].
    #[doc(alias("insert", "put"))]
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), Error> {
        let value = write(value)?;
        self.checked(name, |state| {
            let seen = state.find(name);
            let seen = seen.raw(name);
            if seen.map(RawValue::get) != Some(value.get()) {
                state.put(name, Some(value), seen);
            }
        })
    }

    /// Stores a value, and returns the one that was there.
    ///
    /// # Errors
    ///
    /// As [`get`](Session::get) and [`set`](Session::set).
    pub fn replace<T: Serialize + DeserializeOwned>(&self, name: &str, value: &T) -> Result<Option<T>, Error> {
        let before = self.get(name)?;
        self.set(name, value)?;
        Ok(before)
    }

    /// Removes a value, if there is one.
    pub fn remove(&self, name: &str) {
        // A name that is not the application's has no value.
        let _ = self.checked(name, |state| {
            let seen = state.find(name);
            if let Some(seen) = seen.raw(name) {
                state.put(name, None, Some(seen));
            }
        });
    }

    /// Reads a value and removes it, as for a message that is shown once; `None` if nothing is stored under the name.
    ///
    /// Two requests at once may both read the value.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableValue`] for a value of another type, which stays.
    pub fn take<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.on_current(
            name,
            |before| before.map(read).transpose(),
            |state, value, seen| {
                if value.is_some() {
                    state.put(name, None, seen);
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
    /// What [`get`](Session::get) shows afterwards is the outcome of the run now: twenty requests at once may all see the same number, and
    /// store twenty. Where the outcome matters, or the change may refuse, use [`update`](Session::update).
    ///
    /// ```
    /// # fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// session.modify("cart", |cart: &mut Vec<String>| cart.push("tea".into()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableValue`], [`Error::UnwritableValue`], [`Error::ReservedName`].
    pub fn modify<T, F>(&self, name: &str, change: F) -> Result<(), Error>
    where
        T: Default + Serialize + DeserializeOwned,
        F: Fn(&mut T) + Send + Sync + 'static,
    {
        self.apply(name, move |value: &mut T| {
            change(value);
            true
        })
        .map(drop)
    }

    /// Changes a value in place or refuses to, stores the session now, and returns what the run said that was stored.
    ///
    /// As [`modify`](Session::modify), it may run several times; what it returns is of the last run, on the value as it is stored. If it
    /// returns an error, this value is left as it is, and all else that the request changed is stored. Before a refusal, or an outcome that
    /// changes nothing, is believed, the session is loaded again.
    ///
    /// ```
    /// # async fn example(session: &session_http::Session) -> Result<(), session_http::Error> {
    /// struct Full;
    ///
    /// let added = session.update("cart", |cart: &mut Vec<String>| {
    ///     if cart.len() >= 5 {
    ///         return Err(Full);
    ///     }
    ///     cart.push("tea".into());
    ///     Ok(cart.len())
    /// });
    /// match added.await? {
    ///     Ok(items) => println!("{items} items, in the store by now"),
    ///     Err(Full) => println!("the cart is full"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`modify`](Session::modify) and [`save`](Session::save).
    pub async fn update<T, R, E, F>(&self, name: &str, change: F) -> Result<Result<R, E>, Error>
    where
        T: Default + Serialize + DeserializeOwned,
        F: Fn(&mut T) -> Result<R, E> + Send + Sync + 'static,
        R: Send + 'static,
        E: Send + 'static,
    {
        let outcome = Arc::new(Mutex::new(None));
        let last = outcome.clone();
        let run = Arc::new(move |value: &mut T| {
            let outcome = change(value);
            let is_change = outcome.is_ok();
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            is_change
        });
        let again = run.clone();
        if !self.apply(name, move |value: &mut T| run(value))? {
            // By what this request saw there is nothing to store; by what is stored there may be.
            self.look_again().await?;
            self.apply(name, move |value: &mut T| again(value))?;
        }
        self.save().await?;
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The closure has run at least once.
        outcome.ok_or(Error::Contention)
    }

    /// Removes all values, also those that other requests set before this one commits. The owner and the id stay. A stored session is
    /// written even if it had none.
    #[doc(alias = "flush")]
    pub fn clear(&self) {
        self.0.with_state(|state| {
            if !state.is_empty() || state.stored().is_some() {
                state.work.changes.clear();
            }
        });
    }

    /// Returns the names of all values, each once.
    pub fn keys(&self) -> Vec<String> {
        self.with_visit(|state, visit| {
            let mut keys = state.data().keys();
            keys.retain(|name| !is_reserved(visit, name));
            keys
        })
    }

    /// Says whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.with_state(|state| state.is_empty())
    }

    /// Works with what other rules than the native ones remember of this request, and the time; `None` if it is not that.
    pub fn with_rules<V: Visit, T>(&self, work: impl FnOnce(&mut V, Timestamp) -> T) -> Option<T> {
        let now = self.0.sessions.now();
        self.0.with_visit(|_, visit| {
            let visit: &mut dyn std::any::Any = &mut **visit?;
            visit.downcast_mut::<V>().map(|visit| work(visit, now))
        })
    }

    /// Works on the state, and asks the rules.
    pub(crate) fn with_visit<T: Default>(&self, work: impl FnOnce(&mut State, &dyn Visit) -> T) -> T {
        self.0.with_visit(|state, visit| visit.map(|visit| work(state, &**visit)).unwrap_or_default())
    }

    /// Works on the state if the name is the application's.
    fn checked<T>(&self, name: &str, work: impl FnOnce(&mut State) -> T) -> Result<T, Error> {
        self.0.with_visit(|state, visit| {
            if visit.is_some_and(|visit| is_reserved(&**visit, name)) {
                Err(Error::ReservedName)
            } else {
                Ok(work(state))
            }
        })
    }

    fn find(&self, name: &str) -> Found {
        self.checked(name, |state| state.find(name)).unwrap_or(Found::Nothing)
    }

    /// Runs a closure that says whether it changed the value, and keeps it for the commit.
    fn apply<T, F>(&self, name: &str, change: F) -> Result<bool, Error>
    where
        T: Default + Serialize + DeserializeOwned,
        F: Fn(&mut T) -> bool + Send + Sync + 'static,
    {
        let modify: Arc<Modify> = Arc::new(move |value: Option<&RawValue>| {
            let mut value: T = value.map(read).transpose()?.unwrap_or_default();
            let before = text_of(&value)?;
            if !change(&mut value) {
                return Ok(None);
            }
            let after = write(&value)?;
            Ok((after.get() != before).then_some(after))
        });
        self.on_current(
            name,
            |before| modify(before),
            |state, after, seen| {
                if let Some(after) = after {
                    state.modify(name, modify.clone(), after.clone(), seen);
                }
            },
        )
        .map(|after| after.is_some())
    }

    /// Computes on a value without holding the lock, and keeps the outcome if the value is still the same.
    fn on_current<R>(
        &self,
        name: &str,
        compute: impl Fn(Option<&RawValue>) -> Result<R, Error>,
        keep: impl Fn(&mut State, &R, Option<&RawValue>),
    ) -> Result<R, Error> {
        /// More tasks than this do not share one request; a closure that changes its own value by another handle does not end.
        const RUNS: u32 = 100;
        for _ in 0..RUNS {
            let before = self.checked(name, |state| state.find(name))?;
            let seen = before.raw(name);
            let outcome = compute(seen)?;
            let is_kept = self.checked(name, |state| {
                let is_still = state.find(name).is_still(&before, name);
                if is_still {
                    keep(state, &outcome, seen);
                }
                is_still
            })?;
            if is_kept {
                return Ok(outcome);
            }
        }
        Err(Error::Contention)
    }
}

/// Says whether a name is the session's own, or the rules', and not the application's.
fn is_reserved(visit: &dyn Visit, name: &str) -> bool {
    is_own(name) || visit.is_reserved(name)
}

/// Returns the values that are the application's.
fn visible(state: &State, visit: &dyn Visit) -> session_core::Data {
    let data = state.data();
    let hidden: Vec<_> =
        data.iter().map(|(name, _)| name.into_owned()).filter(|name| is_reserved(visit, name)).collect();
    data.with_changes(&hidden.iter().map(|name| (name.as_str(), None)).collect::<Vec<_>>())
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, key) = self.0.with_state(|state| match &state.base {
            Base::New => ("new", None),
            Base::Stored(stored) => ("stored", Some(stored.key.clone())),
            Base::Ended { key, .. } => ("ended", Some(key.clone())),
            Base::Unread { key, .. } => ("not loaded", Some(key.clone())),
        });
        f.debug_struct("Session").field("state", &state).field("key", &key).finish_non_exhaustive()
    }
}
