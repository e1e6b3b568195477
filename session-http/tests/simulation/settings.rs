//! What differs from one seed to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Clock, Expiry, SessionId, Timestamp};
use session_http::{CookiePolicy, Secrets, SessionConfig, SessionLimit, Sessions};

use crate::executor::{VirtualTimer, World};
use crate::random::Random;
use crate::trouble::{Trouble, TroubledStore};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) browsers: usize,
    /// A browser that plants and learns the cookies of anonymous visitors.
    pub(crate) has_thief: bool,
    /// The cookie's scope is changed, so that browsers may send two.
    pub(crate) changes_scope: bool,
    pub(crate) servers: usize,
    pub(crate) trouble: Trouble,
    pub(crate) limit: Option<Limit>,
    /// The second server has another life time and another cookie, as while a deployment is under way.
    has_other_settings: bool,
    is_short: bool,
    /// The clock of the second server is fast by so many milliseconds.
    skew: u64,
    /// When the first server gives way to a new one, which remembers nothing, in milliseconds.
    restart_after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    EndOldest(u32),
    RejectNew(u32),
}

impl Limit {
    pub(crate) fn most(self) -> u32 {
        match self {
            Self::EndOldest(most) | Self::RejectNew(most) => most,
        }
    }
}

impl Settings {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let most = 1 + u32::try_from(random.below(2)).unwrap_or(0);
        let limit = *random.pick(&[None, None, Some(Limit::EndOldest(most)), Some(Limit::RejectNew(most))]);
        Self {
            browsers: 1 + usize::try_from(random.below(3)).unwrap_or(0),
            has_thief: random.chance(20),
            changes_scope: random.chance(15),
            servers: if random.chance(60) { 2 } else { 1 },
            trouble: *random.pick(&[Trouble::None, Trouble::None, Trouble::Some, Trouble::Some, Trouble::Much]),
            limit,
            has_other_settings: random.chance(50),
            is_short: random.chance(10),
            skew: if random.chance(20) { random.below(2000) } else { 0 },
            restart_after: random.chance(30).then(|| random.below(30_000)),
        }
    }

    /// Chooses the server of a request, after so many milliseconds.
    pub(crate) fn server(&self, random: &mut Random, millis: u128) -> usize {
        let server = usize::try_from(random.below(self.servers as u64)).unwrap_or(0);
        let is_restarted = self.restart_after.is_some_and(|after| u128::from(after) < millis);
        if server == 0 && is_restarted { self.servers } else { server }
    }

    /// Makes the configurations of all servers, and of the one that takes the place of the first.
    pub(crate) fn configure(&self, world: &Arc<World>, store: &TroubledStore) -> Vec<Sessions> {
        let ids = Arc::new(AtomicU64::new(0));
        let server = |number: usize| {
            let is_other = number == 1 && self.has_other_settings;
            let idle = Duration::from_secs(if self.is_short { 20 } else { 3600 });
            let expiry = Expiry::idle_and_absolute(idle * (1 + u32::from(is_other)), Duration::from_secs(86_400))
                .and_then(|expiry| expiry.with_touch_throttle(Duration::from_millis(if is_other { 0 } else { 500 })));
            let secrets = Secrets::new(["a secret of the simulation, 32 bytes or more"]).expect("it is long enough");
            let (seeds, world_of_ids) = (ids.clone(), world.clone());
            let new_id = move || {
                let number = seeds.fetch_add(1, Ordering::Relaxed);
                let salt = world_of_ids.draw(Random::next);
                Ok(SessionId::parse(&format!("{number:016x}{salt:016x}"))?)
            };
            let skew = Duration::from_millis(if number == 1 { self.skew } else { 0 });
            let config = SessionConfig::new(Arc::new(store.clone()), secrets)
                .with_clock(SkewedClock(world.clone(), skew))
                .with_timer(VirtualTimer(world.clone()))
                .with_expiry(expiry.expect("not zero"))
                .with_new_id(new_id);
            let config = if is_other {
                let long = CookiePolicy::builder().with_max_age(Duration::from_secs(30 * 86_400)).build();
                config.with_cookie(long.expect("it is the default with an age"))
            } else {
                config
            };
            let config = match self.limit {
                None => config,
                Some(Limit::EndOldest(most)) => config.with_session_limit(SessionLimit::end_oldest(most)),
                Some(Limit::RejectNew(most)) => config.with_session_limit(SessionLimit::reject_new(most)),
            };
            Sessions::from(config)
        };
        (0..=self.servers).map(server).collect()
    }
}

#[derive(Debug)]
struct SkewedClock(Arc<World>, Duration);

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.0.now().saturating_add(self.1)
    }
}
