//! The id of a session: made, written for the client, read from what a request presents, and turned into the store's key.

use http::{HeaderMap, Uri};
use session_core::{SessionId, SessionKey};

use crate::arrival::Client;
use crate::presented::find;
use crate::{Error, Presented, SessionConfig, events};

impl SessionConfig {
    pub(crate) fn new_id(&self) -> Result<SessionId, Error> {
        match &self.new_id {
            None => Ok(SessionId::generate()?),
            Some(new_id) => {
                let id = new_id().map_err(Error::NewId)?;
                if self.comes_back(&id) {
                    Ok(id)
                } else {
                    Err(Error::NewId("the format does not know such ids".into()))
                }
            }
        }
    }

    /// Says whether the format reads the id that it writes; Express escapes whatever there is.
    fn comes_back(&self, id: &SessionId) -> bool {
        self.as_express().is_some()
            || self.format.read(self.write_id(id).as_bytes(), &self.secrets).as_ref() == Some(id)
    }

    /// Says whether no two ids are ever the same.
    pub(crate) fn has_random_ids(&self) -> bool {
        self.new_id.is_none()
    }

    /// Returns what the store files the session of this id under.
    pub(crate) fn key_of(&self, id: &SessionId) -> SessionKey {
        SessionKey::derive(&self.namespace, id)
    }

    /// Writes what a client presents from now on.
    pub(crate) fn write_id(&self, id: &SessionId) -> String {
        self.format.write(id, &self.secrets)
    }

    /// Reads the id that a request presents, without any I/O (S4). Two are none (S9).
    pub(crate) fn read_id(&self, client: &Client, headers: &HeaderMap) -> Option<SessionId> {
        match self.find(client, headers, &Uri::default()) {
            Presented::Nothing => None,
            Presented::Several => {
                events::presented_twice();
                None
            }
            Presented::Once(value) => {
                let id = self.format.read(value, &self.secrets);
                if id.is_none() {
                    events::bad_signature();
                }
                id
            }
        }
    }

    /// Says whether what was accepted is not what would be written now: an old secret signed it.
    pub(crate) fn is_outdated(&self, client: &Client, headers: &HeaderMap, id: &SessionId) -> bool {
        let is_written_now = |value: &[u8]| value == self.write_id(id).as_bytes();
        let is_single = self.secrets.are_single() || self.as_express().is_some();
        !is_single
            && matches!(self.find(client, headers, &Uri::default()), Presented::Once(value) if !is_written_now(value))
    }

    fn find<'r>(&self, client: &'r Client, headers: &'r HeaderMap, unknown: &'r Uri) -> Presented<'r> {
        match self.as_transport() {
            Some(transport) => transport.find(client.uri.as_deref().unwrap_or(unknown), headers),
            None => find(headers, self.cookie_for(client).name()),
        }
    }
}
