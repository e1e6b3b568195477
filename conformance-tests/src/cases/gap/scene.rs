//! One scene: a call that is held up, and another one that runs through meanwhile.

use std::sync::Arc;
use std::time::Duration;

use session_core::{OwnerId, Record, Result, Revision, Scope, SessionKey, SessionStore, Timestamp};

use super::Name::{self, K, New};
use super::{Call, NAMES, Start};
use crate::answer::{Answer, answer, written};
use crate::bench::{Bench, Gated, LONG, PASSING, SHORT, json, key, list_keys, owner};
use crate::check::{Failure, Outcome, that};
use crate::hooks::Handle;
use crate::imagined::Imagined;

/// How long the other call is waited for before the first one goes on, which it may have to wait for.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far time passes where the end of all sessions does.
const FAR: Duration = LONG.saturating_mul(10);

/// A call that is held up after some of its round trips, and another one that runs through meanwhile.
pub(super) struct Scene<'a> {
    pub(super) b: &'a Bench,
    pub(super) number: u32,
    pub(super) start: Start,
    pub(super) held: Call,
    pub(super) trips: u64,
    pub(super) meanwhile: Call,
    /// The process of the call that is held up dies in the gap.
    pub(super) dies: bool,
}

/// What was seen of the two calls, and after them.
struct Seen {
    start: Revision,
    /// Of a call whose process died there is no answer.
    held: Option<Answered>,
    meanwhile: Answered,
    left: Vec<Option<(Record, Revision)>>,
    owned: Answer,
}

/// An answer, and the revision that was written or loaded.
type Answered = (Answer, Option<Revision>);

/// Who calls. Each writes something of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Held,
    Meanwhile,
}

impl Scene<'_> {
    /// Plays the scene with the handle that a scene before it has left. Says `false` if the call was over before there was a gap.
    pub(super) async fn play(&self, kept: &mut Option<Gated>) -> std::result::Result<bool, Failure> {
        let at = self.b.now();
        let start = self.begin(&*self.b.store, at).await?;
        if self.start != Start::Live {
            self.b.expire_short(&[&self.key(K), &self.key(New)]).await?;
        }
        let gated = match kept.take() {
            Some(gated) => gated,
            None => self.b.gated().await?,
        };
        // The connection is there.
        gated.handle.store.load(&self.key(K)).await?;
        gated.gate.close_after(self.trips);
        let mut held = Box::pin(self.ask(Who::Held, &gated.handle, start, at));
        let is_over = tokio::select! {
            biased;
            _ = &mut held => true,
            () = gated.gate.holds() => false,
        };
        if is_over {
            drop(held);
            gated.gate.reopen();
            *kept = Some(gated);
            return self.clean_up().await.map(|()| false);
        }
        let peer = self.peer();
        let mut meanwhile = Box::pin(self.ask(Who::Meanwhile, &peer, start, at));
        let early = tokio::time::timeout(PATIENCE, &mut meanwhile).await.ok();
        if self.meanwhile == Call::Expire {
            self.let_time_pass().await?;
        }
        // One that had to wait for the call that is held up ends now.
        let meanwhile = async {
            match early {
                Some(answered) => answered,
                None => meanwhile.await,
            }
        };
        let (held, meanwhile) = if self.dies {
            drop(held);
            drop(gated);
            (None, meanwhile.await)
        } else {
            gated.gate.reopen();
            let (held, meanwhile) = tokio::join!(held, meanwhile);
            *kept = Some(gated);
            (Some(held), meanwhile)
        };
        let seen = Seen { start, held, meanwhile, left: self.left().await?, owned: self.owned(&peer).await };
        let orders: &[&[Who]] = match seen.held {
            Some(_) => &[&[Who::Held, Who::Meanwhile], &[Who::Meanwhile, Who::Held]],
            None => &[&[Who::Meanwhile], &[Who::Held, Who::Meanwhile], &[Who::Meanwhile, Who::Held]],
        };
        for order in orders {
            if self.explains(order, &seen, at).await? {
                return self.clean_up().await.map(|()| true);
            }
        }
        Err(self.wrong(&seen))
    }

    async fn ask(&self, who: Who, Handle { store, index }: &Handle, start: Revision, at: Timestamp) -> Answered {
        let (record, stale) = (self.record(who, at), Revision::fresh());
        let expected = |name| if name == K { start } else { stale };
        let revised = |real: Result<Revision>| {
            let revision = real.as_ref().ok().copied();
            (written(real), revision)
        };
        let plain = |answer| (answer, None);
        match self.call(who) {
            Call::Create(name) => revised(store.create(&self.key(name), &record).await),
            Call::Load(name) => match store.load(&self.key(name)).await {
                Ok(Some((record, revision))) => (Answer::Loaded(Some(record)), Some(revision)),
                other => plain(answer(other, |_| Answer::Loaded(None))),
            },
            Call::Update(name) => revised(store.update(&self.key(name), expected(name), &record).await),
            Call::Touch(name) => {
                plain(answer(store.touch(&self.key(name), record.expires_at).await, |()| Answer::Touched))
            }
            Call::Rotate(old, new) => {
                revised(store.rotate(&self.key(old), expected(old), &self.key(new), &record).await)
            }
            Call::RotateStale(old, new) => revised(store.rotate(&self.key(old), stale, &self.key(new), &record).await),
            Call::Delete(name) => plain(answer(store.delete(&self.key(name)).await, Answer::Deleted)),
            Call::Sweep => plain(answer(store.delete_expired(100).await, |count| Answer::Removed(count.into()))),
            Call::Expire => plain(Answer::Passed),
            Call::DeleteOwned | Call::List | Call::Count => {
                let Some(index) = index else { return plain(Answer::Passed) };
                plain(match self.call(who) {
                    Call::DeleteOwned => answer(index.delete_owned(&self.owner(), None).await, Answer::Removed),
                    Call::Count => answer(index.count(Scope::Owner(&self.owner())).await, Answer::Removed),
                    _ => answer(list_keys(&**index, Scope::Owner(&self.owner())).await, Answer::Listed),
                })
            }
        }
    }

    /// Says whether the calls, made one after the other in this order, explain what was seen.
    async fn explains(&self, order: &[Who], seen: &Seen, at: Timestamp) -> std::result::Result<bool, Failure> {
        let imagined = Arc::new(Imagined::new(at));
        let has_index = self.b.indexes().next().is_some();
        let handle = Handle { store: imagined.clone(), index: has_index.then(|| imagined.clone() as Arc<_>) };
        let start = self.begin(&*imagined, at).await?;
        let is_aged = self.b.ages_records();
        let pass = |by| if is_aged { imagined.age(by) } else { imagined.advance(by) };
        if self.start != Start::Live {
            pass(PASSING);
        }
        // What the model's revisions are in the store, if that was seen.
        let mut revisions = vec![(start, Some(seen.start))];
        for who in order {
            let (wanted, number) = self.ask(*who, &handle, start, at).await;
            if self.call(*who) == Call::Expire {
                pass(FAR);
            }
            let answered = if *who == Who::Held { seen.held.as_ref() } else { Some(&seen.meanwhile) };
            if let Some((answer, revision)) = answered {
                let is_same_revision = match (number, revision, &wanted) {
                    (Some(number), Some(revision), Answer::Loaded(_)) => is(&revisions, number, *revision),
                    _ => true,
                };
                if !self.is_as_good(self.call(*who), answer, &wanted) || !is_same_revision {
                    return Ok(false);
                }
            }
            if let (Some(number), Answer::Written) = (number, &wanted) {
                revisions.push((number, answered.and_then(|(_, revision)| *revision)));
            }
        }
        for (name, left) in NAMES.into_iter().zip(&seen.left) {
            let is_left = match (handle.store.load(&self.key(name)).await?, left) {
                (Some((wanted, number)), Some((record, revision))) => {
                    wanted == *record && is(&revisions, number, *revision)
                }
                (wanted, left) => wanted.is_none() && left.is_none(),
            };
            if !is_left {
                return Ok(false);
            }
        }
        Ok(self.owned(&handle).await == seen.owned)
    }

    /// Says whether the answer is the wanted one, as far as it is promised.
    fn is_as_good(&self, call: Call, answer: &Answer, wanted: &Answer) -> bool {
        match (call, answer, wanted) {
            // How many sessions were ended of those that others move meanwhile is not promised.
            (Call::DeleteOwned, Answer::Removed(_), Answer::Removed(_)) => true,
            (Call::Sweep, Answer::Removed(removed), Answer::Removed(wanted)) if self.b.collects_garbage() => {
                removed <= wanted
            }
            _ => answer == wanted,
        }
    }

    async fn left(&self) -> std::result::Result<Vec<Option<(Record, Revision)>>, Failure> {
        let mut left = Vec::new();
        for name in NAMES {
            let key = self.key(name);
            let (one, two) = tokio::join!(self.b.store.load(&key), self.b.peer.load(&key));
            let (one, two) = (one?, two?);
            that(one == two, format!("two handles find different things under {name:?}: {one:?} and {two:?}"))?;
            left.push(one);
        }
        Ok(left)
    }

    async fn owned(&self, handle: &Handle) -> Answer {
        match &handle.index {
            Some(index) => answer(list_keys(&**index, Scope::Owner(&self.owner())).await, Answer::Listed),
            None => Answer::Passed,
        }
    }

    /// Writes to what is left and deletes it: whatever happened, the store goes on.
    async fn clean_up(&self) -> Outcome {
        for name in NAMES {
            let name = self.key(name);
            if let Some((record, revision)) = self.b.peer.load(&name).await? {
                self.b.store.update(&name, revision, &record).await?;
                that(self.b.peer.delete(&name).await?, "a session that is live cannot be deleted")?;
            }
            self.b.store.delete(&name).await?;
        }
        Ok(())
    }

    async fn let_time_pass(&self) -> Outcome {
        if !self.b.ages_records() {
            self.b.clock.advance(FAR);
            return Ok(());
        }
        for name in NAMES {
            self.b.age(&self.key(name), FAR).await?;
        }
        Ok(())
    }

    fn wrong(&self, seen: &Seen) -> Failure {
        let Self { held, trips, meanwhile, start, .. } = self;
        let answer = match &seen.held {
            Some((answer, _)) => format!("answered {answer}"),
            None => "never went on".into(),
        };
        let left = seen.left.iter().map(|left| left.as_ref().map_or("nothing", |(record, _)| record.data.as_str()));
        let left: Vec<_> = NAMES.iter().zip(left).map(|(name, left)| format!("{name:?}: {left}")).collect();
        Failure::new(format!(
            "{held:?} was held up after {trips} round trips and then {answer}; meanwhile {meanwhile:?} answered {}; it \
             began with {start:?}, then there was {}, and the owner had {}: no order of the two explains that",
            seen.meanwhile.0,
            left.join(", "),
            seen.owned,
        ))
    }

    fn call(&self, who: Who) -> Call {
        if who == Who::Held { self.held } else { self.meanwhile }
    }

    fn peer(&self) -> Handle {
        Handle { store: self.b.peer.clone(), index: self.b.indexes().last().cloned() }
    }

    /// Of its own in each scene, so that nothing that a dead process left reaches the next one.
    fn key(&self, name: Name) -> SessionKey {
        key(&format!("{name:?}-{}", self.number))
    }

    fn owner(&self) -> OwnerId {
        owner(&format!("ada-{}", self.number))
    }

    /// Stores what there is when the scene begins, before time passes that ends the short ones.
    async fn begin(&self, store: &dyn SessionStore, at: Timestamp) -> std::result::Result<Revision, Failure> {
        let record = |lifetime| {
            let record = Record::new(json(r#"{"by":"start"}"#), at, at.saturating_add(lifetime));
            record.with_owner(self.owner()).with_deadline(at.saturating_add(LONG * 90))
        };
        if self.start == Start::Taken {
            store.create(&self.key(New), &record(SHORT)).await?;
        }
        let lifetime = if self.start == Start::Expired { SHORT } else { LONG };
        Ok(store.create(&self.key(K), &record(lifetime)).await?)
    }

    fn record(&self, who: Who, at: Timestamp) -> Record {
        let days = if who == Who::Held { 2 } else { 3 };
        let record = Record::new(json(&format!(r#"{{"by":"{who:?}"}}"#)), at, at.saturating_add(LONG * days));
        // Who updates meanwhile also takes the owner away; all others keep it.
        let is_kept = !matches!((who, self.meanwhile), (Who::Meanwhile, Call::Update(_)));
        if is_kept { record.with_owner(self.owner()) } else { record }
    }
}

/// Says whether the store's revision may be the model's.
fn is(revisions: &[(Revision, Option<Revision>)], number: Revision, revision: Revision) -> bool {
    revisions.iter().any(|(model, real)| *model == number && real.is_none_or(|real| real == revision))
}
