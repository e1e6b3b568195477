//! What the calls of the index say, compared with a model.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use session_core::{BoxError, Error, OwnerId, Page, Revision, Scope, SessionIndex, SessionStore};
use session_store_redis::RedisStore;

use crate::{QUANTUM, at, check, key, long, open, record};

const KEYS: usize = 24;
const STEPS: usize = 400;

/// What a record is now: its revision, its expiry and whether it is ada's.
type Model = BTreeMap<usize, (Revision, i64, bool)>;

/// Calls at random, with time that goes on by less than a quantum.
pub(crate) async fn random(url: String) -> Result<(), BoxError> {
    let (store, clock, _) = open(&url).await?;
    let ada: OwnerId = "ada".parse()?;
    let seed = Revision::fresh().number();
    let mut random = Random(seed);
    let (mut model, mut now) = (Model::new(), 0);
    for step in 0..STEPS {
        let number = random.below(KEYS);
        let offset = i64::try_from(random.below(2_400_000))?;
        let expires = now + 1 + offset;
        let is_adas = random.below(4) > 0;
        let mut fresh = if random.below(2) == 0 { record(expires)? } else { long(expires, 'x')? };
        fresh.owner = fresh.owner.filter(|_| is_adas);
        let live = model.get(&number).copied().filter(|(_, end, _)| now < *end);
        let k = key(number);
        match (random.below(10), live) {
            (0..3, None) => {
                model.insert(number, (store.create(&k, &fresh).await?, expires, is_adas));
            }
            (0..3, Some((revision, _, was_adas))) => {
                // Mostly the owner stays, and the script has nothing to take apart.
                let is_adas = if random.below(4) > 0 { was_adas } else { is_adas };
                fresh.owner = Some(ada.clone()).filter(|_| is_adas);
                model.insert(number, (store.update(&k, revision, &fresh).await?, expires, is_adas));
            }
            (3..6, _) => {
                let touched = store.touch(&k, at(expires)?).await;
                if let (Some((_, end, _)), Some(_)) = (model.get_mut(&number), live) {
                    touched?;
                    *end = expires.max(*end);
                } else {
                    check(matches!(touched, Err(Error::NotFound)), || format!("{seed}, {step}: {touched:?}"))?;
                }
            }
            (6, _) => {
                let is_deleted = store.delete(&k).await?;
                check(is_deleted == live.is_some(), || format!("{seed}, {step}: delete of {number}"))?;
                model.remove(&number);
            }
            (7, _) => {
                let limit = u32::try_from(1 + random.below(4))?;
                let removed = store.delete_expired(limit).await?;
                let over = model.values().filter(|(_, end, _)| *end <= now).count();
                // What creates have cleaned up, and Redis has collected, is gone already.
                check(removed <= limit && removed as usize <= over, || format!("{seed}, {step}: {removed} of {over}"))?;
                if removed < limit {
                    model.retain(|_, (_, end, _)| now < *end);
                }
            }
            _ => {
                now += i64::try_from(random.below(600_000))?;
                clock.set(at(now)?);
            }
        }
        shows(&store, &model, now).await.map_err(|error| format!("seed {seed}, step {step}: {error}"))?;
    }
    store.clear().await?;
    Ok(())
}

/// Expiries all over a quantum, seen from all over the quanta around it.
pub(crate) async fn instants(url: String) -> Result<(), BoxError> {
    let (store, clock, _) = open(&url).await?;
    let ends = [-1, 0, 1, 2, 4_999, QUANTUM - 1, QUANTUM, QUANTUM + 1].map(|end| 2 * QUANTUM + end);
    let mut model = Model::new();
    for (number, end) in ends.into_iter().enumerate() {
        model.insert(number, (store.create(&key(number), &record(end)?).await?, end, true));
    }
    for now in ends.into_iter().flat_map(|end| [end - 1, end]) {
        clock.set(at(now)?);
        shows(&store, &model, now).await?;
    }
    // The same again while sweeps run: the clock may go back, but what is swept is gone.
    clock.set(at(0)?);
    for (now, wanted) in ends.into_iter().zip(1..) {
        clock.set(at(now)?);
        let removed = store.delete_expired(1).await?;
        check(removed == 1, || format!("{removed} swept at {now}, the {wanted}th instant"))?;
        check(store.delete_expired(10).await? == 0, || format!("a sweep at {now} left something over"))?;
        shows(&store, &model, now).await?;
    }
    Ok(())
}

/// A clear is dropped after the first of its three scripts.
pub(crate) async fn cleared(url: String) -> Result<(), BoxError> {
    const SESSIONS: usize = 1_500;
    let (store, _, _) = open(&url).await?;
    // From now on the server knows the script.
    store.clear().await?;
    for number in 0..SESSIONS {
        store.create(&key(number), &record(QUANTUM)?).await?;
    }
    {
        // The first script is sent; its answer is not taken, so the others are not.
        let mut clear = pin!(store.clear());
        let is_sent = poll_fn(|context| Poll::Ready(clear.as_mut().poll(context).is_pending())).await;
        check(is_sent, || "the clear did not begin".into())?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut left = 0;
    for number in 0..SESSIONS {
        left += u64::from(store.load(&key(number)).await?.is_some());
    }
    check(left == 1_000, || format!("{left} are left"))?;
    let ended = store.delete_owned(&"ada".parse()?, None).await?;
    check(ended == left, || format!("{ended} of {left} were in the index"))
}

/// Compares loads, lists and counts with the model.
async fn shows(store: &RedisStore, model: &Model, now: i64) -> Result<(), BoxError> {
    let ada: OwnerId = "ada".parse()?;
    for (scope, is_owner) in [(Scope::All, false), (Scope::Owner(&ada), true)] {
        let live = model.iter().filter(|(_, (_, end, is_adas))| now < *end && (*is_adas || !is_owner));
        let mut live =
            live.map(|(number, (_, end, _))| Ok((key(*number), at(*end)?))).collect::<Result<Vec<_>, BoxError>>()?;
        live.sort();
        let listing = store.list(scope, &Page::first(100)).await?;
        let mut listed: Vec<_> =
            listing.sessions.into_iter().map(|session| (session.key, session.expires_at)).collect();
        listed.sort();
        check(listed == live, || format!("{scope:?} at {now}: listed {listed:?} and not {live:?}"))?;
        let count = store.count(scope).await?;
        check(count == live.len() as u64, || format!("{scope:?} at {now}: counted {count} and not {}", live.len()))?;
    }
    Ok(())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or_default() % bound
    }
}
