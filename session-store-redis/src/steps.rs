//! What a cluster cannot do in one step, because two parts lie in two slots: rotate, and end the sessions of an owner.
//!
//! A rotation makes three: the new key is reserved by a record that is not live yet and that Redis collects soon; the old
//! record is removed, if it is what the client has loaded; the new one becomes live. A process that dies on the way
//! leaves the old record, or neither: never both.
//!
//! Ending an owner's sessions marks all parts first, then removes what the owner has in each, then takes the marks
//! back. A rotation of that owner's session that sees a mark at its first or last step ends the session (`OWNER-04`): had it
//! seen none, its new record was there before the removal in its part, or its old one outlived the removal in its own.

use futures_util::future::join_all;
use session_core::{Error, OwnerId, Record, Result, Revision, SessionKey, Timestamp};

use crate::RedisStore;
use crate::keys::Place;
use crate::link::Twice;
use crate::part::PARTS;
use crate::script::{CONFIRM, MARK, Outcome, RELEASE, RESERVE, TAKE};
use crate::store::millis;
use crate::text::{self, Head};

impl RedisStore {
    /// Rotates between two parts.
    pub(crate) async fn rotate_in_steps(
        &self,
        old: &Place<'_>,
        expected: Revision,
        new: &Place<'_>,
        record: &Record,
    ) -> Result<Revision> {
        let fresh = Revision::fresh();
        let reserved = self.reserve(new, record, fresh).await?;
        if let Err(refusal) = reserved.outcome.done() {
            // What is wrong with the old key comes first (`ROTATE-09`).
            self.check(old, expected).await?;
            return Err(refusal);
        }
        let taken = match self.take(old, expected).await {
            Ok(line) => line,
            Err(error) => {
                // If this does not get through either, Redis collects the reservation.
                let call = Self::about(&RELEASE, new).arg(text::revision_text(fresh));
                let released = self.link.write::<i64>(new.part, &call, Twice::Same, self.manner).await;
                return Err(if matches!(error, Error::NotFound | Error::Conflict) { released.err().unwrap_or(error) } else { error });
            }
        };
        let old_head = Head::parse(&taken)?;
        let is_same_owner = record.owner.is_some() && old_head.owner == record.owner;
        let ending = is_same_owner && reserved.is_ending;
        let now = self.options.now();
        if record.expires_at <= now || ending {
            let call = Self::about(&RELEASE, new).arg(text::revision_text(fresh));
            self.link.write::<i64>(new.part, &call, Twice::Same, self.manner).await?;
            return if ending { Err(Error::NotFound) } else { Ok(fresh) };
        }
        let mark = self.prefix.ending(new.part, record.owner.as_ref());
        let call = CONFIRM.call(&[&new.record, &new.all, &mark]).arg(&new.owners).arg(new.name);
        let call = call.arg(text::revision_text(fresh)).arg(record.owner.as_ref().map_or("", OwnerId::as_str));
        let call = call.arg(text::time_text(record.expires_at)).number(Self::time_to_live(record.expires_at, now));
        let call = call.arg(old_head.times).number(i64::from(is_same_owner));
        let outcome = self.link.write(new.part, &call, Twice::Same, self.manner).await?;
        Outcome::of(outcome)?.done().map(|()| fresh)
    }

    async fn reserve(&self, new: &Place<'_>, record: &Record, fresh: Revision) -> Result<Reserved> {
        let revision = text::revision_text(fresh);
        let mark = self.prefix.ending(new.part, record.owner.as_ref());
        let call = RESERVE.call(&[&new.record, &new.all, &mark]).arg(&new.owners).arg(new.name);
        let call = call.number(self.options.now().unix_millis()).number(self.lease()).arg(&revision);
        let call = call.arg(record.owner.as_ref().map_or("", OwnerId::as_str));
        let call = call.text(text::write(record, &text::time_text(Timestamp::MIN), &revision));
        let (outcome, ending): (i64, i64) = self.link.write(new.part, &call, Twice::Same, self.manner).await?;
        Ok(Reserved { outcome: Outcome::of(outcome)?, is_ending: ending != 0 })
    }

    /// Removes the old record and returns the line before its data.
    async fn take(&self, old: &Place<'_>, expected: Revision) -> Result<String> {
        let call = Self::about(&TAKE, old).number(self.options.now().unix_millis()).arg(text::revision_text(expected));
        let (outcome, line): (i64, String) =
            self.link.write(old.part, &call, Twice::Differs, self.manner).await?;
        Outcome::of(outcome)?.done().map(|()| line)
    }

    /// Says what a rotation has to say about the old key before it speaks of the new one.
    async fn check(&self, old: &Place<'_>, expected: Revision) -> Result<()> {
        let stored = self.link.get(old.part, &old.record, self.manner).await?;
        let line = stored.as_deref().map(text::line).transpose()?;
        let head = line.map(Head::parse).transpose()?.filter(|head| self.options.now() < head.expires_at);
        match head {
            None => Err(Error::NotFound),
            Some(head) if head.revision != expected => Err(Error::Conflict),
            Some(_) => Ok(()),
        }
    }

    /// Ends an owner's sessions in all parts.
    pub(crate) async fn delete_owned_in_steps(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        all(self.mark(owner, 1)).await?;
        let removed = (0..PARTS).map(|part| self.delete_owned_at(part, part, owner, except));
        let removed: Result<u64> = join_all(removed).await.into_iter().sum();
        // What does not get through here goes by itself.
        let unmarked = all(self.mark(owner, -1)).await;
        removed.and_then(|removed| unmarked.map(|()| removed))
    }

    fn mark(&self, owner: &OwnerId, by: i64) -> impl Iterator<Item = impl Future<Output = Result<i64>>> {
        (0..PARTS).map(move |part| {
            let call = MARK.call(&[&self.prefix.ending(part, Some(owner))]).number(by).number(self.lease());
            async move { self.link.write(part, &call, Twice::Differs, self.manner).await }
        })
    }

    /// How long Redis keeps what is only there between two steps: longer than all of them take.
    fn lease(&self) -> i64 {
        millis(self.manner.timeout.saturating_mul(6))
    }
}

async fn all(calls: impl Iterator<Item = impl Future<Output = Result<i64>>>) -> Result<()> {
    join_all(calls).await.into_iter().try_for_each(|answer| answer.map(drop))
}

struct Reserved {
    outcome: Outcome,
    /// The owner's sessions are being ended.
    is_ending: bool,
}
