//! What the handles of one session have in common: its state, and who may talk to the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_core::SessionKey;

use crate::arrival::Client;
use crate::state::State;
use crate::turn::Turn;
use crate::{SessionConfig, events};

pub(crate) struct Shared {
    pub(crate) config: Arc<SessionConfig>,
    pub(crate) client: Client,
    /// Held by whoever talks to the store.
    pub(crate) turn: Turn,
    /// Never held while code of the application runs, nor across an await.
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(config: Arc<SessionConfig>, client: Client, state: State) -> Self {
        Self { config, client, turn: Turn::default(), state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a key that this request is about to make dead.
    pub(crate) fn depart(&self, key: &SessionKey) {
        self.config.remember_departed(key);
        let mut state = self.state();
        state.is_departed |= state.presented.as_ref() == Some(key);
    }

    /// There will be no response: nothing that needs one is done any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        let loses_changes = state.has_changes();
        state.head_sent = true;
        state.forget();
        self.tell_nothing(&state);
        drop(state);
        if loses_changes {
            events::not_committed();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.state().has_changes() {
            events::not_committed();
        }
    }
}
