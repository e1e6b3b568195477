//! Loading the session that a request presents.

use http::HeaderMap;
use session_core::{SessionId, SessionKey};
use tracing::Instrument as _;

use crate::events::{self, Reason};
use crate::few::Few;
use crate::meta::Meta;
use crate::request::Request;
use crate::rules::{AnyVisit, Visit};
use crate::state::{Base, State, Stored};
use crate::{Error, UnreadableSession};

/// How many signed ids of one request are looked up; browsers that send more have none.
const MOST: usize = 4;

impl Request {
    /// Looks up what the headers present: the one session that is live counts, and none if two are (S9).
    pub(crate) async fn load(&self, headers: &HeaderMap) -> Result<(Box<State>, AnyVisit), Error> {
        let mut visit = self.snapshot();
        let state = self.look_up(headers, &mut *visit).await?;
        Ok((state, visit))
    }

    async fn look_up(&self, headers: &HeaderMap, visit: &mut dyn Visit) -> Result<Box<State>, Error> {
        let ids = visit.presented(headers);
        let keys: Few<_> = ids.iter().map(|id| self.sessions.key_of(id)).collect();
        if ids.len() > MOST {
            events::presented_several();
            return Ok(Box::new(State { is_several: true, ..State::of(Base::New, keys) }));
        }
        let (mut found, mut unread) = (Few::default(), Few::default());
        for (id, key) in ids.iter().zip(keys.iter()) {
            match self.load_one(id.clone(), key, visit).await? {
                Some(Base::Stored(stored)) => found.push(stored),
                Some(base) => unread.push(base),
                None => {}
            }
        }
        // One that cannot be read does not stand in the way of one that can.
        if found.len() > 1 || (found.is_empty() && unread.len() > 1) {
            events::presented_several();
            let live = found.into_iter().map(|stored| (stored.key, stored.record)).collect();
            return Ok(Box::new(State { is_several: true, live, ..State::of(Base::New, keys) }));
        }
        let base = found.into_iter().map(Base::Stored).chain(unread).next();
        let base = base.unwrap_or_else(|| self.not_found(&keys));
        if let Some(id) = base.stored().and_then(|stored| stored.id.as_ref()) {
            visit.chosen(id);
        }
        Ok(Box::new(State::of(base, keys)))
    }

    async fn load_one(&self, id: SessionId, key: &SessionKey, visit: &mut dyn Visit) -> Result<Option<Base>, Error> {
        let sessions = &self.sessions;
        let loaded = sessions.store().load(key).instrument(events::loading(key)).await;
        let (mut record, revision) = match loaded {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Ok(None),
            Err(corrupt @ session_core::Error::Corrupt(_)) => return self.unreadable(corrupt, key),
            Err(error) => return Err(error.into()),
        };
        events::loaded(key);
        let meta = Meta::unpack(&record.data);
        if sessions.is_too_old(&meta, &record, sessions.now()) {
            if sessions.store().delete(key).await? {
                events::destroyed(key, Reason::TooOld);
            }
            return Ok(None);
        }
        record.data = visit.unpack(&record.data);
        Ok(Some(Base::Stored(Stored { id: Some(id), key: key.clone(), revision, record, meta })))
    }

    fn unreadable(&self, corrupt: session_core::Error, key: &SessionKey) -> Result<Option<Base>, Error> {
        match self.sessions.failure.unreadable {
            UnreadableSession::Refuse => Err(corrupt.into()),
            UnreadableSession::LoginAndLogout => {
                events::load_failed(&corrupt.into());
                events::read_only(key);
                Ok(Some(Base::Unread { key: key.clone(), is_corrupt: true }))
            }
            UnreadableSession::BeginAnew => {
                events::load_failed(&corrupt.into());
                Ok(None)
            }
        }
    }

    /// None of them is stored. They are not adopted (S3), and the cookie stays: a login elsewhere may have replaced it already.
    fn not_found(&self, keys: &Few<SessionKey>) -> Base {
        keys.iter().for_each(events::unknown_id);
        let now = self.sessions.now();
        let was_on_its_way = |key: &&SessionKey| self.sessions.recent.was_on_its_way(key, self.deaths, now);
        match keys.iter().find(was_on_its_way) {
            Some(key) => Base::Ended { key: key.clone(), was_live: false },
            None => Base::New,
        }
    }
}
