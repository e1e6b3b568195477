//! What a commit is going to store, and what is due: computed anew at each attempt, on what is stored by then.

use std::borrow::Cow;
use std::sync::Arc;

use session_core::{Data, Record, Timestamp};

use crate::Error;
use crate::commit::Commit;
use crate::decide::{Action, action};
use crate::meta::Meta;
use crate::rules::Facts;
use crate::state::Base;

/// What is to be stored.
pub(crate) struct Draft {
    pub(crate) now: Timestamp,
    pub(crate) meta: Meta,
    pub(crate) record: Record,
    pub(crate) action: Action,
    pub(crate) is_other_age: bool,
}

impl Commit {
    pub(crate) fn draft(&mut self) -> Result<Draft, Error> {
        if self.work.is_stale {
            self.replay()?;
            Arc::make_mut(&mut self.work).is_stale = false;
        }
        if self.work.rotates && !self.can_tell() {
            // No id becomes a user's that somebody had before, and what belongs to the user goes nowhere else.
            if self.work.login().is_some() {
                return Err(Error::HeadSent);
            }
            Arc::make_mut(&mut self.work).forget_id();
            self.is_id_refused = true;
        }
        let now = self.sessions.now();
        let (sessions, work, stored) = (&self.sessions, &*self.work, self.base.stored());
        let owner = stored.and_then(|stored| stored.record.owner.as_ref());
        let before = stored.map(|stored| stored.meta.clone()).unwrap_or_default();
        let mut meta = work.meta_after(&before, owner);
        if let (Some(dated), Some(login)) = (self.dated, &mut meta.login) {
            login.at = login.at.max(dated);
        }
        let is_other_age = meta.age != before.age || meta.until != before.until;
        let data = stored.map_or_else(Data::empty, |stored| stored.record.data.clone());
        let changes = &work.changes;
        let changed =
            if self.visit.minds_order() { changes.apply_in_order_to(&data) } else { changes.apply_to(&data, &[]) };
        // Then a write says whether it is what was loaded, and is made again on what is there.
        let changed = changed.or_else(|| stored.filter(|_| changes.keeps_all()).map(|s| s.record.data.clone()));
        let mut record = match stored {
            Some(stored) => stored.record.clone(),
            None => {
                let mut record = Record::new(data, now, now);
                record.deadline = sessions.expiry.deadline(now);
                record
            }
        };
        record.owner = work.owner_after(owner);
        record.expires_at = sessions.ends_at(&*self.visit, &meta, &record, now);
        let rotates = work.rotates && self.repeated.is_none();
        let facts = Facts {
            occasion: self.occasion,
            stored,
            is_gone: matches!(self.base, Base::Ended { .. } | Base::Unread { .. }),
            work,
            changed: changed.as_ref(),
            is_own_changed: meta != before
                || record.owner.as_ref() != owner
                || stored.is_some_and(|stored| sessions.is_too_long(&*self.visit, stored, record.expires_at, now)),
            has_owner: record.owner.is_some(),
            rotates,
            is_touch_due: stored.is_some_and(|stored| {
                sessions.is_touch_due(&*self.visit, stored, &meta, record.expires_at, work.touches)
            }),
        };
        let action = action(self.visit.due(&facts), stored.is_some(), rotates);
        record.data = changed.unwrap_or(record.data);
        if !matches!(action, Action::Nothing | Action::Touch) {
            meta.forget_origins(now);
        }
        let mut draft = Draft { now, meta, record, action, is_other_age };
        self.write_meta(&mut draft, &before);
        Ok(draft)
    }

    /// Writes what the session keeps of its own into the values.
    pub(crate) fn write_meta(&self, draft: &mut Draft, before: &Meta) {
        let edits = draft.meta.edits(before, &draft.record.data);
        let edits: Vec<_> = edits.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        if let Some(data) = draft.record.data.changed_by(&edits) {
            draft.record.data = data;
        }
    }

    /// Returns the record as it is stored, with what the rules keep there.
    pub(crate) fn packed<'d>(&self, draft: &'d Draft) -> Cow<'d, Record> {
        match self.visit.pack(&draft.record.data, draft.now) {
            None => Cow::Borrowed(&draft.record),
            Some(data) => {
                let mut record = draft.record.clone();
                record.data = data;
                Cow::Owned(record)
            }
        }
    }
}
