//! What a handler stores, and looks at again, before its response is ready.

use std::pin::pin;

use crate::changes::Changes;
use crate::rules::{Note, Occasion};
use crate::state::{Base, State};
use crate::values::Values;
use crate::{Error, Session};

impl Session {
    /// Stores the changes now, before the response is ready.
    ///
    /// What needs another cookie is refused after the response has been sent, and changes of the data are stored all the same. After any
    /// other error the changes are still there, and it may be called again: what an earlier attempt stored without saying so is found, and not
    /// made twice. (Where the answer to the end of an anonymous session was lost, the second attempt is `Ended`: another server may have
    /// given it a new id.) The cookie of a session that this created or rotated is sent with the response, also if that fails.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if the session was ended by another request; the changes are dropped. [`Error::HeadSent`] after the response.
    pub async fn save(&self) -> Result<(), Error> {
        let request = &self.0;
        let saving = pin!(async {
            let settled = request.settle(Occasion::Save).await;
            let (is_ended, values) = request.with_state(|state| {
                if let Err(Error::Ended) = settled {
                    state.forget_work();
                }
                (state.is_ended(), state.stored().map(|stored| stored.record.data.clone()))
            });
            settled?;
            if let Some(values) = values {
                request.note(Note::Saved(&values));
            }
            if is_ended { Err(Error::Ended) } else { Ok(()) }
        });
        request.in_time(saving).await
    }

    /// Loads the session again, and makes the changes of this request that are not stored yet on what it finds. For a session that is not
    /// stored it does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if it was ended by another request, and what a store refuses with.
    pub async fn reload(&self) -> Result<(), Error> {
        let is_anew = self.0.with_visit(|_, visit| visit.is_some_and(|visit| visit.reloads_anew()));
        self.load_again(is_anew).await
    }

    /// Makes the values those that are stored, with the changes of this request on them. One that could not be loaded has none to look at.
    pub(crate) async fn look_again(&self) -> Result<(), Error> {
        if self.is_read_only() { Err(Error::ReadOnly) } else { self.load_again(false).await }
    }

    async fn load_again(&self, is_anew: bool) -> Result<(), Error> {
        let request = &self.0;
        let reloading = pin!(async {
            let mut turn = request.turn.take().await;
            if let Err(error) = request.finish_running(&mut turn).await {
                if let Error::Ended = error {
                    request.with_state(State::forget_work);
                }
                return Err(error);
            }
            let (key, id) = match request.with_state(|state| state.stored().map(|s| (s.key.clone(), s.id.clone()))) {
                Some(stored) => stored,
                None => return if is_anew { Err(Error::Ended) } else { Ok(()) },
            };
            let loaded = request.sessions.store().load(&key).await?;
            if is_anew && loaded.is_some() {
                request.with_state(|state| state.work.changes = Changes::default());
                request.note(Note::Reloaded);
            }
            let mut commit = request.begin(Occasion::Save, false);
            let Some((record, revision)) = loaded else {
                request.with_state(|state| {
                    state.base = Base::Ended { key: key.clone(), was_live: true };
                    state.values = Values::default();
                    state.forget_work();
                });
                return Err(Error::Ended);
            };
            commit.set_base(id, key, revision, record);
            commit.is_merged = true;
            request.install(commit, Ok(()))
        });
        request.in_time(reloading).await
    }
}
