//! What a cluster cannot do in one step, because two parts lie in two slots: a rotation between them.
//!
//! It makes four. The new key is reserved by a record that is *pending*: it names the old key's part. The old record is
//! removed, if it is what the client has loaded, and a note in its part says so: this is the moment of the rotation. The new
//! record becomes as any other. Who finds a pending record asks for the note: with it, the record is live, and a writer
//! takes the third step for the one who did not get to it; without it, it is not there yet. A writer that wants the key
//! for itself leaves a note that the rotation is undone. So a rotation is one moment for everybody, and who dies on the way leaves
//! the old record or the new one. The fourth
//! step removes the note; where it is not taken, pending records and notes end by themselves, the records first.

use std::time::Instant;

use session_core::{Error, OwnerId, Record, Result, Revision, Timestamp};

use crate::RedisStore;
use crate::keys::Place;
use crate::link::Twice;
use crate::script::{CONFIRM, Call, DECIDE, FORGET, Outcome, RELEASE, RESERVE, TAKE};
use crate::store::{Want, millis};
use crate::text;

/// How often a call meets a rotation of the same key before it is given up. Most meet none, and under a crowd of rotations each try
/// meets one with a chance that is far from one.
const MOST_MEETINGS: usize = 64;

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
            let outcome = Outcome::of(self.link.write(place.part, call, twice, self.manner).await?)?;
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
            if begin.elapsed() > self.manner.timeout.saturating_mul(LEASE / 2) {
                // The reservation may end before the rotation does, and the old record would have gone for nothing.
                self.release(new, fresh).await?;
                return Err(Error::unavailable("the rotation was held up for too long"));
            }
            match self.take(old, expected, record, fresh, reserved.is_ending).await {
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
        let Some(stored) = self.link.get(place.part, &place.record, self.manner).await? else {
            return Ok(Settled::Over);
        };
        let Some((part, head, _)) = text::pending(&stored)? else { return Ok(Settled::Over) };
        let lease = if want == Want::Key { self.lease().to_string() } else { String::new() };
        match self.note(part, head.revision, &lease).await?.as_deref() {
            // The note goes after the third step: it says nothing unless the record is still pending.
            None => match self.link.get(place.part, &place.record, self.manner).await? {
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
            let Some((old_part, head, data)) = text::pending(&stored)? else {
                return text::read(&stored, now);
            };
            match self.note(old_part, head.revision, "").await?.as_deref() {
                Some("undone") => return Ok(None),
                Some(note) => return text::read(&text::confirmed(&stored, data, kept(note)?), now),
                // As above.
                None => match self.link.get(place.part, &place.record, self.manner).await? {
                    Some(again) if again != stored => stored = again,
                    _ => return Ok(None),
                },
            }
        }
        Err(Error::unavailable("a rotation of the session does not end"))
    }

    async fn note(&self, part: u16, revision: Revision, lease: &str) -> Result<Option<String>> {
        let call = DECIDE.call(&[&self.prefix.note(part, revision)], &[]).arg(lease);
        let note: String = self.link.write(part, &call, Twice::Same, self.manner).await?;
        Ok(Some(note).filter(|note| !note.is_empty()))
    }

    async fn reserve(&self, old: &Place, new: &Place, record: &Record, fresh: Revision) -> Result<Reserved> {
        let owner = text::owner_text(record.owner.as_ref());
        let keys = [&*new.record, &self.prefix.ending(new.part, owner)];
        let call =
            RESERVE.call(&keys, &self.guards(new.part)).number(self.options.now().unix_millis()).number(self.lease());
        let call = call.number(new.set);
        let call = call.arg(text::write_pending(record, fresh, old.part));
        let (outcome, ending): (i64, i64) = self.link.write(new.part, &call, Twice::Same, self.manner).await?;
        Ok(Reserved { outcome: Outcome::of(outcome)?, is_ending: ending != 0 })
    }

    async fn take(
        &self,
        old: &Place,
        expected: Revision,
        record: &Record,
        fresh: Revision,
        is_ending: bool,
    ) -> Result<(Outcome, String)> {
        let note = self.prefix.note(old.part, fresh);
        let call = TAKE.call(&[&old.record, &note], &self.guards(old.part)).number(self.options.now().unix_millis());
        // The note outlives the record that is pending.
        let call = call.arg(text::revision_text(expected)).number(self.lease() * 2).number(old.set);
        let call = call.arg(if is_ending { text::owner_text(record.owner.as_ref()) } else { "" });
        let (outcome, note): (i64, String) = self.link.write(old.part, &call, Twice::Same, self.manner).await?;
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
        let now = self.options.now();
        // Only a session that was the owner's before can be one that is being ended.
        let owner = text::owner_text(owner);
        let is_watched = !owner.is_empty() && note.get(text::TIMES..) == Some(owner);
        let call = CONFIRM
            .call(&[&new.record, &self.prefix.ending(new.part, owner)], &self.guards(new.part))
            .number(now.unix_millis());
        let call = call.arg(text::revision_text(revision)).number(Self::time_to_live(expires_at, now));
        let call = call.number(new.set).arg(kept(note)?).number(i64::from(is_watched));
        Outcome::of(self.link.write(new.part, &call, Twice::Same, self.manner).await?)
    }

    async fn forget(&self, part: u16, revision: Revision) -> Result<()> {
        let call = FORGET.call(&[&self.prefix.note(part, revision)], &[]);
        // Nothing depends on it, so no replica is waited for.
        self.link.read::<i64>(part, &call, self.manner).await.map(drop)
    }

    async fn release(&self, new: &Place, revision: Revision) -> Result<()> {
        let call =
            RELEASE.call(&[&new.record], &self.guards(new.part)).arg(text::revision_text(revision)).number(new.set);
        self.link.write::<i64>(new.part, &call, Twice::Same, self.manner).await.map(drop)
    }

    /// How long Redis keeps what is only there between two steps: longer than all of them take.
    pub(crate) fn lease(&self) -> i64 {
        millis(self.manner.timeout.saturating_mul(LEASE))
    }

    /// Says what a rotation has to say about the old key before it speaks of the new one.
    async fn check(&self, old: &Place, expected: Revision) -> Result<()> {
        let found = match self.link.get(old.part, &old.record, self.manner).await? {
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
    note.get(..text::TIMES).ok_or_else(|| Error::corrupt("the note of a rotation cannot be read"))
}
