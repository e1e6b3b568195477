//! One attempt of a commit: from changes to one call of the store, which is nothing, touch, create, update, rotate or delete.

use session_core::{OwnerId, Record, Revision, SessionId, SessionKey, Timestamp};

use crate::Error;
use crate::events::{self, Reason};
use crate::express::Action;
use crate::plan::{Outcome, Plan};
use crate::shared::Shared;
use crate::state::{CookieOrder, Line, Stored};

impl Shared {
    /// Makes at most one change to the store, decided by what is in the plan.
    pub(crate) async fn attempt(&self, plan: &mut Plan) -> Result<Outcome, Error> {
        let store = &self.config.store;
        let now = self.config.now();
        let stored = match &plan.line {
            Line::Gone(key) => return Ok(Outcome::Gone(key.clone())),
            Line::New => return self.create(plan, now).await,
            Line::Unloaded(_) => return Err(Error::ReadOnly),
            Line::Stored(stored) => stored,
        };
        let owner = plan.wishes.owner.as_ref();
        if owner.is_some() && stored.record.owner.is_some() && stored.record.owner.as_ref() != owner {
            // Another request logged another user in, under the same id. Their data is not this user's.
            let key = stored.key.clone();
            self.depart(&key);
            store.delete(&key).await?;
            events::destroyed(&key, Reason::AnotherUser);
            plan.begin_anew()?;
            return self.create(plan, now).await;
        }
        let changed = plan.draft.changed();
        let is_changed = changed.is_some();
        let mut record = stored.record.clone();
        record.owner = owner.or(record.owner.as_ref()).cloned();
        record.expires_at = plan.expires_at(&self.config.expiry, now, record.deadline);
        if plan.express.is_some() {
            // To Express, the order of the names is a change too.
            record.data = plan.draft.current();
        } else if let Some(data) = changed {
            record.data = data;
        }
        if plan.express.is_none() && is_changed && record.owner.is_none() && plan.draft.is_empty() {
            // A delete has no revision and would take a concurrent change with it; a write that has expired already has one.
            record.expires_at = Timestamp::MIN;
            self.depart(&stored.key);
            store.update(&stored.key, stored.revision, &record).await?;
            store.delete(&stored.key).await?;
            events::destroyed(&stored.key, Reason::Emptied);
            return Ok(Outcome::Destroyed);
        }
        if plan.wishes.rotate {
            let (id, key) = self.new_id(plan)?;
            self.depart(&stored.key);
            let answer = store.rotate(&stored.key, stored.revision, &key, &plan.to_stored(&record, now)).await;
            let revision = self.or_find(&key, answer).await?;
            events::rotated(&stored.key, &key);
            let order = CookieOrder::Issue(id.clone(), record.expires_at);
            return Ok(Outcome::Stored(Stored { id, key, record, revision }, order));
        }
        let (is_write, is_touch) = match plan.action() {
            None => {
                (is_changed, self.config.is_touch_due(&stored.record, plan.draft.max_age(), now, plan.wishes.touch))
            }
            Some(action) => (action == Action::Write, action == Action::Touch),
        };
        let revision = if is_write {
            let revision = store.update(&stored.key, stored.revision, &plan.to_stored(&record, now)).await?;
            events::updated(&stored.key);
            revision
        } else if is_touch {
            store.touch(&stored.key, record.expires_at).await?;
            events::extended(&stored.key);
            stored.revision
        } else {
            return Ok(Outcome::Nothing);
        };
        let order = CookieOrder::Refresh(stored.id.clone(), record.expires_at);
        Ok(Outcome::Stored(Stored { record, revision, ..stored.clone() }, order))
    }

    /// Stores a new session, unless nothing was put into it (S15).
    async fn create(&self, plan: &Plan, now: Timestamp) -> Result<Outcome, Error> {
        let owner: Option<&OwnerId> = plan.wishes.owner.as_ref();
        if plan.action().map_or(owner.is_none() && plan.draft.is_empty(), |action| action != Action::Write) {
            return Ok(Outcome::Nothing);
        }
        let (id, key) = self.new_id(plan)?;
        let deadline = self.config.expiry.deadline(now);
        let mut record = Record::new(plan.draft.to_data(), now, plan.expires_at(&self.config.expiry, now, deadline));
        record.deadline = deadline;
        record.owner = owner.cloned();
        let answer = self.config.store.create(&key, &plan.to_stored(&record, now)).await;
        let revision = self.or_find(&key, answer).await?;
        events::created(&key);
        let order = CookieOrder::Issue(id.clone(), record.expires_at);
        Ok(Outcome::Stored(Stored { id, key, record, revision }, order))
    }

    /// Looks for what was to be stored under a new key when the answer was lost: if it is there, whoever has the old id would
    /// else be logged out by an outage.
    async fn or_find(&self, key: &SessionKey, answer: session_core::Result<Revision>) -> Result<Revision, Error> {
        match answer {
            Err(lost @ session_core::Error::Unavailable(_)) if self.config.has_random_ids() => {
                match self.config.store.load(key).await {
                    Ok(Some((_, revision))) => Ok(revision),
                    Ok(None) | Err(_) => Err(lost.into()),
                }
            }
            answer => Ok(answer?),
        }
    }

    fn new_id(&self, plan: &Plan) -> Result<(SessionId, SessionKey), Error> {
        if plan.head_sent {
            return Err(Error::HeadSent);
        }
        let id = self.config.new_id()?;
        let key = self.config.key_of(&id);
        Ok((id, key))
    }
}
