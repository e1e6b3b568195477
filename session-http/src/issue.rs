//! Storing a session under a new id: the first time, or in place of the one that it has.

use session_core::{Data, Revision, SessionId, SessionKey};

use crate::Error;
use crate::commit::Commit;
use crate::draft::Draft;
use crate::events;
use crate::recent::Became;
use crate::state::{Base, Stored};
use crate::tell::{Life, News};

impl Commit {
    pub(crate) async fn create(&mut self, mut draft: Draft) -> Result<bool, Error> {
        if !self.can_tell() {
            return Err(Error::HeadSent);
        }
        if self.is_several && self.ended == 0 {
            // The cookie would take the place of one of them at most, and the next request would find as many again.
            return Err(Error::Ended);
        }
        let (id, key) = self.new_id()?;
        let before = draft.meta.clone();
        for old in self.dead_keys().iter().filter(|_| self.work.login().is_some()) {
            draft.meta.leave(old, draft.now, true);
        }
        self.write_meta(&mut draft, &before);
        let packed = self.packed(&draft);
        self.set_pending(Some((id.clone(), packed.data.clone())));
        let answer = self.sessions.store().create(&key, &packed).await;
        let revision = self.or_find(&key, &packed.data, answer).await?;
        events::created(&key);
        // Who presents what has ended is on the way; the browser has another one now.
        for old in self.dead_keys() {
            let is_known = self.work.ends.iter().any(|end| end.key == old);
            self.sessions.recent.note_replaced(&old, key.clone(), is_known, draft.now);
        }
        self.issued(id.clone(), id, key, revision, draft);
        let is_login = self.work.login().is_some();
        self.logged_in();
        Ok(is_login)
    }

    pub(crate) async fn rotate(&mut self, stored: Stored, mut draft: Draft) -> Result<(), Error> {
        let (id, key) = self.new_id()?;
        let is_login = self.work.login().is_some();
        draft.meta.leave(&stored.key, draft.now, is_login);
        self.write_meta(&mut draft, &stored.meta);
        let recent = self.sessions.recent.clone();
        recent.ask(&stored.key, true, draft.now);
        let packed = self.packed(&draft);
        self.set_pending(Some((id.clone(), packed.data.clone())));
        let answer = self.sessions.store().rotate(&stored.key, stored.revision, &key, &packed).await;
        let found = self.or_find(&key, &packed.data, answer).await;
        let known = Some(id.clone()).filter(|_| is_login);
        match &found {
            Ok(_) => recent.note(&stored.key, Became::Moved { to: key.clone(), id: known }, draft.now),
            Err(Error::Store(session_core::Error::Unavailable(_))) => {}
            Err(_) => recent.withdraw(&stored.key),
        }
        let revision = found?;
        events::rotated(&stored.key, &key);
        // The same login may have been made once more meanwhile, and the browser has got its answer already.
        let told = match recent.fate(&key, draft.now) {
            Some(Became::Moved { id: Some(later), .. }) if is_login => later,
            _ => id.clone(),
        };
        self.issued(id, told, key, revision, draft);
        self.logged_in();
        Ok(())
    }

    /// Says whether a new id can be told.
    pub(crate) fn can_tell(&self) -> bool {
        self.request.upgrade().is_some_and(|request| request.progress.can_tell(self.is_found_by_login))
    }

    /// Notes the new id before the store is asked, for every later attempt to look there first; `None` when its fate is known.
    fn set_pending(&self, asked: Option<(SessionId, Data)>) {
        if let Some(request) = self.request.upgrade() {
            request.set_pending(asked);
        }
    }

    /// Takes the answer to a write under a new key. Where it was lost, looks whether it is there: whoever has the old id would else be logged
    /// out by an outage.
    async fn or_find(
        &mut self,
        key: &SessionKey,
        written: &Data,
        answer: session_core::Result<Revision>,
    ) -> Result<Revision, Error> {
        let answer = match answer {
            Err(lost @ session_core::Error::Unavailable(_)) => match self.sessions.store().load(key).await {
                Ok(Some((record, revision))) if record.data == *written => Ok(revision),
                Ok(_) | Err(_) => return Err(lost.into()),
            },
            answer => answer,
        };
        self.set_pending(None);
        Ok(answer?)
    }

    fn issued(&mut self, id: SessionId, told: SessionId, key: SessionKey, revision: Revision, draft: Draft) {
        let Draft { record, meta, now, .. } = draft;
        self.news.add(News::Issued(Life { id: told, now, expires_at: record.expires_at }));
        self.has_changed = true;
        self.base = Base::Stored(Stored { id: Some(id), key, revision, record, meta });
    }

    fn new_id(&self) -> Result<(SessionId, SessionKey), Error> {
        let id = self.sessions.new_id()?;
        let key = self.sessions.key_of(&id);
        Ok((id, key))
    }

    /// The keys that the browser presents, or that this request ended, of which none lives.
    fn dead_keys(&self) -> Vec<SessionKey> {
        let ended = self.work.ends.iter().take(self.ended).map(|end| end.key.clone());
        let mut keys: Vec<_> = self.presented.iter().cloned().chain(ended).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
