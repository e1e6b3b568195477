//! What a cluster cannot do in one step, because two parts lie in two slots: a rotation between them.
//!
//! It makes four. The new key is reserved by a record that is *pending*: it names the old key's part. The old record is
//! removed, if it is what the client has loaded, and a note in its part says so: this is the moment of the rotation. The new
//! record becomes as any other. Who finds a pending record asks for the note: with it, the record is live, and a writer
//! takes the third step for the one who did not get to it; without it, it is not there yet. A writer that wants the key
//! for itself leaves a note that the rotation is undone. So a rotation is one moment for everybody, and who dies on the way leaves
//! the old record or the new one. The fourth
//! step removes the note; where it is not taken, pending records and notes end by themselves, the records first.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_core::{Error, OwnerId, Record, Result, Revision, SessionKey, Timestamp};

use crate::RedisStore;
use crate::ask::Twice;
use crate::names::Place;
use crate::record;
use crate::script::{Call, Outcome, ROTATION};
use crate::store::{Want, millis};

/// How often a call meets a rotation of the same key before it is given up. Most meet none, and under a crowd of rotations each try
/// meets one with a chance that is far from one.
const MOST_MEETINGS: usize = 64;

/// How long a rotation waits at most for the end of its owner's sessions. Mostly that takes some milliseconds.
const MOST_WAITING: Duration = Duration::from_secs(2);

/// How many time-outs Redis keeps what is only there between two steps.
const LEASE: u32 = 6;

/// What became of a pending record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is pending no more.
    Over,
    /// It is still pending, and not live.
    NotYet,
}

struct Reserved {
    outcome: Outcome,
    /// The owner's sessions are being ended.
    is_ending: bool,
}

impl RedisStore {
    /// Runs a script about one session, and again after a rotation that it met.
    pub(crate) async fn settled(&self, place: &Place, call: &Call, twice: Twice, want: Want) -> Result<Outcome> {
        for _ in 0..MOST_MEETINGS {
            let outcome = Outcome::of(self.write(call, twice).await?)?;
            if outcome != Outcome::Pending {
                return Ok(outcome);
            }
            if self.settle(place, want).await? == Settled::NotYet {
                return Ok(Outcome::NotFound);
            }
        }
        Ok(Outcome::Pending)
    }

    /// Rotates within a part, in one step unless another rotation is met.
    pub(crate) async fn rotate_in_part(&self, old: &Place, new: &Place, call: &Call) -> Result<Outcome> {
        for _ in 0..MOST_MEETINGS {
            let outcome = self.settled(old, call, Twice::Known, Want::Record).await?;
            if outcome != Outcome::NewPending {
                return Ok(outcome);
            }
            self.settle(new, Want::Key).await?;
        }
        Ok(Outcome::NewPending)
    }

    /// Rotates between two parts.
    pub(crate) async fn rotate_in_steps(
        &self,
        old: &Place,
        expected: Revision,
        new: &Place,
        record: &Record,
    ) -> Result<Revision> {
        let first = Instant::now();
        for _ in 0..MOST_MEETINGS {
            let (fresh, begin) = (Revision::fresh(), Instant::now());
            let reserved = self.reserve(old, new, record, fresh).await?;
            match reserved.outcome {
                Outcome::Done => {}
                outcome => {
                    // What is wrong with the old key comes first (`ROTATE-09`).
                    self.check(old, expected).await?;
                    if outcome == Outcome::Pending {
                        self.settle(new, Want::Key).await?;
                        continue;
                    }
                    outcome.done()?;
                }
            }
            if reserved.is_ending {
                // What is being ended is soon gone. Who marked the part may be, too; and what began after that one is not to be ended.
                self.release(new, fresh).await?;
                self.check(old, expected).await?;
                let patience = MOST_WAITING.min(self.manner.timeout / 2);
                if first.elapsed() > patience {
                    self.unmark(new.part, record.owner.as_ref()).await?;
                } else {
                    tokio::time::sleep(patience / 16).await;
                }
                continue;
            }
            if begin.elapsed() > self.manner.timeout.saturating_mul(LEASE / 2) {
                // The reservation may end before the rotation does, and the old record would have gone for nothing.
                self.release(new, fresh).await?;
                return Err(Error::unavailable("the rotation was held up for too long"));
            }
            match self.take(old, expected, fresh).await {
                Ok((Outcome::Done, note)) => {
                    // It is done. That somebody else has taken the third step, or has ended the session since, does not undo it.
                    self.confirm(new, record.owner.as_ref(), &note, fresh, record.expires_at).await?;
                    // Where that fails, the note goes by itself.
                    drop(self.forget(old.part, fresh).await);
                    return Ok(fresh);
                }
                Ok((outcome, _)) => {
                    self.release(new, fresh).await?;
                    match outcome {
                        Outcome::NewPending => {}
                        Outcome::Pending => {
                            if self.settle(old, Want::Record).await? == Settled::NotYet {
                                return Err(Error::NotFound);
                            }
                        }
                        outcome => outcome.done()?,
                    }
                }
                // Whether it was taken is not known; what is pending shows it.
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable("a rotation of the session does not end"))
    }

    /// Finds out what a pending record is, and for a writer makes an end of it.
    async fn settle(&self, place: &Place, want: Want) -> Result<Settled> {
        let Some(stored) = self.get(place.part, &place.record).await? else {
            return Ok(Settled::Over);
        };
        let Some((part, head, _)) = record::pending(&stored)? else { return Ok(Settled::Over) };
        let lease = if want == Want::Key { self.lease().to_string() } else { String::new() };
        match self.note(part, head.revision, &lease).await?.as_deref() {
            // The note goes after the third step: it says nothing unless the record is still pending.
            None => match self.get(place.part, &place.record).await? {
                Some(again) if again == stored => Ok(Settled::NotYet),
                _ => Ok(Settled::Over),
            },
            Some("undone") => self.release(place, head.revision).await.map(|()| Settled::Over),
            Some(note) => {
                let outcome = self.confirm(place, head.owner.as_ref(), note, head.revision, head.expires_at).await;
                outcome.map(|_| Settled::Over)
            }
        }
    }

    /// Reads a pending record: it is live if its rotation has had its moment.
    pub(crate) async fn load_pending(
        &self,
        place: &Place,
        mut stored: Vec<u8>,
        now: Timestamp,
    ) -> Result<Option<(Record, Revision)>> {
        for _ in 0..MOST_MEETINGS {
            let Some((old_part, head, data)) = record::pending(&stored)? else {
                return record::read(&stored, now);
            };
            match self.note(old_part, head.revision, "").await?.as_deref() {
                Some("undone") => return Ok(None),
                Some(note) => return record::read(&record::confirmed(&stored, data, kept(note)?), now),
                // As above.
                None => match self.get(place.part, &place.record).await? {
                    Some(again) if again != stored => stored = again,
                    _ => return Ok(None),
                },
            }
        }
        Err(Error::unavailable("a rotation of the session does not end"))
    }

    /// Begins the call of a step.
    fn step(&self, name: &str, part: u16, keys: &[&str]) -> Call {
        ROTATION.call(&self.names, part, keys).arg(name).time(self.options.now())
    }

    async fn note(&self, part: u16, revision: Revision, lease: &str) -> Result<Option<String>> {
        let call = self.step("decide", part, &[&self.names.note(part, revision)]).arg(lease);
        let note: String = self.write(&call, Twice::Same).await?;
        Ok(Some(note).filter(|note| !note.is_empty()))
    }

    async fn reserve(&self, old: &Place, new: &Place, record: &Record, fresh: Revision) -> Result<Reserved> {
        let ending = self.names.ending(new.part, record::owner_text(record.owner.as_ref()));
        let call = self.step("reserve", new.part, &[&new.record, &ending]).number(self.lease());
        let call = call.arg(record::write_pending(record, fresh, old.part));
        let (outcome, ending): (i64, i64) = self.write(&call, Twice::Same).await?;
        Ok(Reserved { outcome: Outcome::of(outcome)?, is_ending: ending != 0 })
    }

    async fn take(&self, old: &Place, expected: Revision, fresh: Revision) -> Result<(Outcome, String)> {
        let note = self.names.note(old.part, fresh);
        // The note outlives the record that is pending.
        let call = self.step("take", old.part, &[&old.record, &note]).number(self.lease() * 2);
        let call = call.arg(record::revision_text(expected));
        let (outcome, note): (i64, String) = self.write(&call, Twice::Same).await?;
        Ok((Outcome::of(outcome)?, note))
    }

    async fn confirm(
        &self,
        new: &Place,
        owner: Option<&OwnerId>,
        note: &str,
        revision: Revision,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let ttl = Self::time_to_live(expires_at, self.options.now());
        // Only a session that was the owner's before can be one that is being ended.
        let owner = record::owner_text(owner);
        let is_watched = !owner.is_empty() && note.get(record::TIMES..) == Some(owner);
        let call = self.step("confirm", new.part, &[&new.record, &self.names.ending(new.part, owner)]);
        let call = call.arg(record::revision_text(revision)).number(ttl).arg(kept(note)?);
        Outcome::of(self.write(&call.number(i64::from(is_watched)), Twice::Same).await?)
    }

    async fn forget(&self, part: u16, revision: Revision) -> Result<()> {
        // Nothing depends on it, so no replica is waited for.
        self.read::<i64>(&self.step("forget", part, &[&self.names.note(part, revision)])).await.map(drop)
    }

    async fn release(&self, new: &Place, revision: Revision) -> Result<()> {
        let call = self.step("release", new.part, &[&new.record]).arg(record::revision_text(revision));
        self.write::<i64>(&call, Twice::Same).await.map(drop)
    }

    /// Ends an owner's sessions in all parts.
    ///
    /// All parts are marked first; then what the owner has in each is removed; then the marks are taken back. A rotation of that
    /// owner's session that sees a mark at its first step leaves the old record to the removal, and one that sees it at its third ends
    /// the session, which is older than the mark (`OWNER-04`). Had it seen none, its new record was there before the removal in its
    /// part, or its old one was found by the removal in its own.
    ///
    /// Who dies on the way leaves marks. So a rotation that has waited for long takes them away, and this call finds that some are
    /// missing, and that it does not know whether it has ended all.
    pub(crate) async fn delete_owned_in_steps(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let token = record::revision_text(Revision::fresh());
        let removed = match self.mark(owner, &token, &self.lease().to_string()).await {
            Ok(()) => {
                let removed = self.names.parts().map(|part| self.delete_owned_of(part, owner, except));
                join_all(removed).await.into_iter().sum()
            }
            Err(error) => Err(error),
        };
        // A mark that is not taken back here goes by itself.
        let unmarked = self.mark(owner, &token, "").await;
        removed.and_then(|removed: u64| unmarked.map(|()| removed))
    }

    /// Marks all parts with a token of this call, or takes it back without a lease.
    async fn mark(&self, owner: &OwnerId, token: &[u8], lease: &str) -> Result<()> {
        let marks = self.names.parts().map(|part| async move {
            let call = self.step("mark", part, &[&self.names.ending(part, owner.as_str())]).arg(token).arg(lease);
            self.write::<i64>(&call, Twice::Same).await
        });
        let were_there = join_all(marks).await.into_iter().collect::<Result<Vec<i64>>>()?;
        if were_there.contains(&0) {
            return Err(Error::unavailable("a rotation did not wait until the owner's sessions had ended"));
        }
        Ok(())
    }

    /// Takes all marks of an owner in a part away.
    async fn unmark(&self, part: u16, owner: Option<&OwnerId>) -> Result<()> {
        let ending = self.names.ending(part, record::owner_text(owner));
        self.write::<i64>(&self.step("unmark", part, &[&ending]), Twice::Same).await.map(drop)
    }

    /// How long Redis keeps what is only there between two steps: longer than all of them take.
    fn lease(&self) -> i64 {
        millis(self.manner.timeout.saturating_mul(LEASE))
    }

    /// Says what a rotation has to say about the old key before it speaks of the new one.
    async fn check(&self, old: &Place, expected: Revision) -> Result<()> {
        let found = match self.get(old.part, &old.record).await? {
            Some(stored) => self.load_pending(old, stored, self.options.now()).await?.map(|(_, revision)| revision),
            None => None,
        };
        match found {
            None => Err(Error::NotFound),
            Some(revision) if revision != expected => Err(Error::Conflict),
            Some(_) => Ok(()),
        }
    }
}

/// Returns the times that a note keeps of the old record.
fn kept(note: &str) -> Result<&str> {
    note.get(..record::TIMES).ok_or_else(|| Error::corrupt("the note of a rotation cannot be read"))
}
