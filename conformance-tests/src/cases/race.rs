//! Every interleaving of short programs, made on two handles one call after the other, and compared with the model.

use std::fmt::Write as _;
use std::time::Duration;

use session_core::{Result, Revision, Scope, SessionKey};

use crate::answer::{Answer, answer, written, written_in_model};
use crate::bench::{Bench, LONG, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal};
use crate::hooks::Need;
use crate::model::Model;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("RACE-01", Level::Interleavings, &[Need::Time], race_01),
        Case::new("RACE-02", Level::Interleavings, &[Need::Time], race_02),
    ]
}

/// One call of a client. A write uses the revision that the client loaded last, or else the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Load,
    Update,
    Touch,
    Rotate,
    Delete,
    DeleteOwned,
    Sweep,
    /// The session's end passes.
    Expire,
}

type Program = &'static [Step];

const UPDATE: Program = &[Step::Load, Step::Update];
const TOUCH: Program = &[Step::Load, Step::Touch];
const ROTATE: Program = &[Step::Load, Step::Rotate];
const ROTATE_AND_DELETE: Program = &[Step::Load, Step::Rotate, Step::Delete];
const CREATE: Program = &[Step::Create];
const DELETE: Program = &[Step::Delete];
const DELETE_OWNED: Program = &[Step::DeleteOwned];
const SWEEP: Program = &[Step::Sweep];
const EXPIRE: Program = &[Step::Expire];

/// What is stored before a history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    Live,
    Expired,
}

async fn race_01(b: Bench) -> Outcome {
    let programs = [UPDATE, TOUCH, ROTATE, ROTATE_AND_DELETE, CREATE, DELETE, SWEEP, EXPIRE]
        .into_iter()
        .chain(b.index().is_ok().then_some(DELETE_OWNED));
    let programs: Vec<Program> = programs.collect();
    for start in [Start::Nothing, Start::Live, Start::Expired] {
        // Both ways round: the clients write different things.
        for one in &programs {
            for two in &programs {
                every_order(&b, start, &[*one, *two]).await?;
            }
        }
    }
    Ok(())
}

async fn race_02(b: Bench) -> Outcome {
    let programs = [UPDATE, TOUCH, ROTATE, DELETE, SWEEP, EXPIRE];
    for (first, one) in programs.iter().enumerate() {
        for (second, two) in programs.iter().enumerate().skip(first) {
            for three in &programs[second..] {
                every_order(&b, Start::Live, &[*one, *two, *three]).await?;
            }
        }
    }
    Ok(())
}

async fn every_order(b: &Bench, start: Start, programs: &[Program]) -> Outcome {
    let mut left: Vec<usize> = programs.iter().map(|program| program.len()).collect();
    let mut orders = Vec::new();
    interleave(&mut left, &mut Vec::new(), &mut orders);
    for order in orders {
        History::new(b, programs.len()).run(start, programs, &order).await?;
    }
    Ok(())
}

/// Collects every order in which clients with so many steps left can take turns.
fn interleave(left: &mut [usize], order: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
    if left.iter().all(|&steps| steps == 0) {
        orders.push(order.clone());
    }
    for client in 0..left.len() {
        if left[client] > 0 {
            left[client] -= 1;
            order.push(client);
            interleave(left, order, orders);
            order.pop();
            left[client] += 1;
        }
    }
}

struct Client {
    /// The revision that the client loaded last: the model's and the store's.
    seen: (u64, Revision),
    /// The key that the client's session has.
    key: SessionKey,
}

struct History<'a> {
    b: &'a Bench,
    model: Model,
    clients: Vec<Client>,
    keys: Vec<SessionKey>,
    log: String,
}

impl<'a> History<'a> {
    fn new(b: &'a Bench, clients: usize) -> Self {
        let keys = ["k", "new-0", "new-1", "new-2"].map(key).to_vec();
        let client = |_| Client { seen: (0, Revision::fresh()), key: keys[0].clone() };
        Self { b, model: Model::default(), clients: (0..clients).map(client).collect(), keys, log: String::new() }
    }

    async fn run(mut self, start: Start, programs: &[Program], order: &[usize]) -> Outcome {
        if start != Start::Nothing {
            let record = self.b.long(r#"{"by":"start"}"#).with_owner(owner("ada"));
            let record = record.with_deadline(self.b.now().saturating_add(LONG * 90));
            let written = self.model.create(self.b.now(), &self.keys[0], &record);
            let revision = self.b.store.create(&self.keys[0], &record).await?;
            for client in &mut self.clients {
                client.seen = (written.unwrap_or_default(), revision);
            }
        }
        if start == Start::Expired {
            self.expire().await?;
        }
        let mut next = vec![0; programs.len()];
        for &client in order {
            let step = programs[client][next[client]];
            next[client] += 1;
            self.take(client, step).await?;
        }
        self.compare_what_is_left().await?;
        for key in &self.keys {
            self.b.store.delete(key).await?;
        }
        Ok(())
    }

    async fn take(&mut self, client: usize, step: Step) -> Outcome {
        let now = self.b.now();
        let store = [&self.b.store, &self.b.peer][client % 2];
        // Each client writes something of its own, and with another expiry, so that it shows who wrote last.
        let lifetime = LONG * (u32::try_from(client).unwrap_or_default() + 2);
        let mut record = self.b.lasting(&format!(r#"{{"by":{client},"step":"{step:?}"}}"#), lifetime);
        record.owner = (client != 1).then(|| owner("ada"));
        let mine = self.clients[client].key.clone();
        let new = self.keys[1 + client].clone();
        let (expected, revision) = self.clients[client].seen;
        let mut rotated = false;
        let (seen, wanted) = match step {
            Step::Create => {
                let real = store.create(&mine, &record).await;
                let model = self.model.create(now, &mine, &record);
                self.note(client, &real, &model);
                (written(real), written_in_model(model))
            }
            Step::Load => {
                let real = store.load(&mine).await;
                let model = self.model.load(now, &mine).map(|(record, write)| (record.clone(), write));
                if let (Ok(Some((_, revision))), Some((_, write))) = (&real, &model) {
                    self.clients[client].seen = (*write, *revision);
                }
                let real = real.map(|loaded| loaded.map(|(record, _)| record));
                (answer(real, Answer::Loaded), Answer::Loaded(model.map(|(record, _)| record)))
            }
            Step::Update => {
                let real = store.update(&mine, revision, &record).await;
                let model = self.model.update(now, &mine, expected, &record);
                self.note(client, &real, &model);
                (written(real), written_in_model(model))
            }
            Step::Touch => {
                let real = store.touch(&mine, record.expires_at).await;
                let model = self.model.touch(now, &mine, record.expires_at);
                (answer(real, |()| Answer::Touched), model.map_or_else(Answer::Refused, |()| Answer::Touched))
            }
            Step::Rotate => {
                let real = store.rotate(&mine, revision, &new, &record).await;
                let model = self.model.rotate(now, &mine, expected, &new, &record);
                self.note(client, &real, &model);
                rotated = model.is_ok();
                (written(real), written_in_model(model))
            }
            Step::Delete => {
                (answer(store.delete(&mine).await, Answer::Deleted), Answer::Deleted(self.model.delete(now, &mine)))
            }
            Step::DeleteOwned => {
                let real = self.b.index()?.delete_owned(&owner("ada"), None).await;
                (answer(real, Answer::Removed), Answer::Removed(self.model.delete_owned(now, &owner("ada")) as u64))
            }
            Step::Sweep => {
                let wanted = self.model.delete_expired(now) as u64;
                let removed = store.delete_expired(100).await.map(u64::from);
                // What the backend collected by itself is as good as swept.
                let removed =
                    removed.map(|removed| if self.b.collects_garbage() && removed < wanted { wanted } else { removed });
                (answer(removed, Answer::Removed), Answer::Removed(wanted))
            }
            Step::Expire => {
                self.expire().await?;
                (Answer::Passed, Answer::Passed)
            }
        };
        if rotated {
            self.clients[client].key = new;
        }
        // Writing to a string does not fail.
        let _ = write!(self.log, "\n      client {client} {step:?}: {seen}");
        if seen == wanted { Ok(()) } else { Err(self.wrong(&format!("and not {wanted}"))) }
    }

    /// Remembers the revision of a write that succeeded for the store and for the model.
    fn note(&mut self, client: usize, real: &Result<Revision>, model: &std::result::Result<u64, Refusal>) {
        if let (Ok(revision), Ok(write)) = (real, model) {
            self.clients[client].seen = (*write, *revision);
        }
    }

    async fn expire(&mut self) -> Outcome {
        const PASSING: Duration = LONG.saturating_mul(10);
        if self.b.ages_records() {
            for key in &self.keys {
                self.b.age(key, PASSING).await?;
            }
            self.model.age(PASSING);
        } else {
            self.b.clock.advance(PASSING);
        }
        Ok(())
    }

    async fn compare_what_is_left(&self) -> Outcome {
        let now = self.b.now();
        for (handle, store) in [("first", &self.b.store), ("second", &self.b.peer)] {
            for key in &self.keys {
                let seen = store.load(key).await?.map(|(record, _)| record);
                let wanted = self.model.load(now, key).map(|(record, _)| record.clone());
                if seen != wanted {
                    let (seen, wanted) = (Answer::Loaded(seen), Answer::Loaded(wanted));
                    return Err(
                        self.wrong(&format!("the {handle} handle then has under {key}: {seen}, and not {wanted}"))
                    );
                }
            }
        }
        for index in self.b.indexes() {
            let seen = list_keys(&**index, Scope::Owner(&owner("ada"))).await?;
            let wanted = self.model.owned(now, &owner("ada"));
            if seen != wanted {
                return Err(self.wrong(&format!("ada's sessions then are {seen:?}, and not {wanted:?}")));
            }
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::new(format!("in this history:{}\n      {what}", self.log))
    }
}
