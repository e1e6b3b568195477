//! One seed, from its settings to what was found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session_store_memory::MemoryStore;

use crate::act::Act;
use crate::application::{Application, Reply, Servers};
use crate::browser::{Browser, Town};
use crate::call::Backend;
use crate::cookies::key_of;
use crate::executor::World;
use crate::faults::Fault;
use crate::model::Model;
use crate::settings::{Limit, Settings};
use crate::trouble::{Trouble, TroubledStore};

/// What one run found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) failures: Vec<String>,
    /// How many requests there were: who looks for a cause begins with the seed that has the fewest.
    pub(crate) requests: usize,
    pub(crate) trace: Vec<String>,
}

/// Runs one seed. The trace costs time, so it is written only if somebody wants to read it.
pub(crate) fn run(seed: u64, fault: Option<Fault>, is_traced: bool) -> Found {
    let world = World::new(seed, is_traced);
    let settings = world.draw(Settings::draw);
    world.note(|| format!("seed {seed}: {settings:?}"));
    let model = Arc::new(Model::default());
    model.known().has_limit = settings.limit.is_some();
    let backend = Backend::new(MemoryStore::new().with_clock(world.clock.clone()), fault);
    let store = TroubledStore {
        world: world.clone(),
        backend: Arc::new(backend),
        model: model.clone(),
        trouble: Arc::new(std::sync::Mutex::new(settings.trouble)),
    };
    let servers = if fault == Some(Fault::NothingRemembered) {
        let (world, store) = (world.clone(), store.clone());
        Servers::OfOneRequest(Box::new(move || settings.configure(&world, &store)))
    } else {
        Servers::Lasting(settings.configure(&world, &store))
    };
    let application = Application {
        world: world.clone(),
        model: model.clone(),
        servers,
        fault,
        is_calm: AtomicBool::new(settings.trouble == Trouble::None),
    };
    let town = Town::new(Arc::new(application), settings);
    town.open_tabs();
    if let Err(failure) = world.run() {
        model.fail(failure.into());
    } else {
        if settings.trouble == Trouble::None {
            check_limit(&town, |_| true, "when all is quiet");
        }
        store.calm();
        town.application.is_calm.store(true, Ordering::Relaxed);
        world.note(|| "all is quiet".into());
        let last = town;
        world.spawn(0, async move {
            for browser in &last.browsers {
                last.end_well(browser).await;
            }
        });
        if let Err(failure) = world.run() {
            model.fail(failure.into());
        }
    }
    let mut known = model.known();
    let failures = std::mem::take(&mut known.failures);
    Found { failures, requests: known.requests.len(), trace: world.take_trace() }
}

/// No user has more sessions than the limit allows. After an outage the next login sees to it.
fn check_limit(town: &Town, is_checked: impl Fn(&str) -> bool, when: &str) {
    let Some(limit) = town.settings.limit else { return };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut known = town.application.model.known();
    let now = town.application.world.now();
    for owner in known.live.values().filter(|live| now < live.expires_at).filter_map(|live| live.owner.clone()) {
        *counts.entry(owner).or_default() += 1;
    }
    let failures = counts.iter().filter(|(user, count)| is_checked(user) && **count > limit.most());
    let failures: Vec<_> = failures.map(|(user, count)| format!("{user} has {count} sessions {when}")).collect();
    known.failures.extend(failures);
}

impl Town {
    /// Whatever happened: when all is quiet, a browser can write, log in and log out, one after the other.
    async fn end_well(self: &Arc<Self>, browser: &Arc<Browser>) {
        let expect = |what: &str, reply: Option<Reply>, statuses: &[u16]| {
            if !reply.is_some_and(|reply| statuses.contains(&reply.status)) {
                self.application.model.fail(format!("when all is quiet, {what} fails"));
            }
        };
        expect("a look", self.send(browser, Act::Look, false).take().await, &[200]);
        let world = &self.application.world;
        world.sleep(Duration::from_secs(1)).await;
        // Under an id that another took the place of a moment ago nothing is written, until the user logs in, or it is forgotten.
        // And with two that are live nothing is, until the user logs in or out.
        let (is_dead, is_several) = (self.has_dead_id(browser), self.has_several_ids(browser));
        let written = self.send(browser, Act::Add, false).take().await;
        let is_refused = is_dead && written.as_ref().is_some_and(|reply| reply.status == 409);
        expect("a write", written, if is_dead || is_several { &[200, 409] } else { &[200] });
        if is_refused && !is_several && world.chance(50) {
            world.sleep(Duration::from_secs(61)).await;
            expect("a write a minute later", self.send(browser, Act::Add, false).take().await, &[200]);
        }
        let is_full = matches!(self.settings.limit, Some(Limit::RejectNew(_)));
        let reply = self.send(browser, Act::Login(browser.user), false).take().await;
        let is_refused = is_full && reply.as_ref().is_some_and(|reply| reply.status == 403);
        expect("a login", reply, if is_full { &[200, 403] } else { &[200] });
        if !is_refused {
            if !is_full && self.has_added_session() {
                check_limit(self, |user| user == browser.user, "after a login");
            }
            self.check_user(browser, Some(browser.user)).await;
        }
        let is_dead = self.has_dead_id(browser);
        let reply = self.send(browser, Act::Logout, false).take().await;
        let is_refused = is_dead && reply.as_ref().is_some_and(|reply| reply.status == 409);
        expect("a logout", reply, if is_dead { &[200, 409] } else { &[200] });
        if !is_refused {
            self.check_user(browser, None).await;
            self.check_cookies(browser);
        }
    }

    /// Says whether the login that was the last request added a session to those of its user: only then it looks for those that an outage left.
    fn has_added_session(&self) -> bool {
        let known = self.application.model.known();
        let asked = known.requests.values().next_back();
        asked.is_some_and(|asked| !asked.began.is_empty() || (asked.was_loaded && asked.owner.is_none()))
    }

    /// Says whether a browser has an id that is not live any more.
    fn has_dead_id(&self, browser: &Browser) -> bool {
        let (known, now) = (self.application.model.known(), self.application.world.now());
        browser.sent().iter().filter_map(|cookie| key_of(cookie)).any(|id| known.is_dead(&id, now))
    }

    fn has_several_ids(&self, browser: &Browser) -> bool {
        let (known, now) = (self.application.model.known(), self.application.world.now());
        let is_live = |id: &session_core::SessionKey| known.live.contains_key(id) && !known.is_dead(id, now);
        browser.sent().iter().filter_map(|cookie| key_of(cookie)).filter(is_live).count() > 1
    }

    /// No cookie that a browser had before it logged out lets in, but for those that it lost before to another one which nobody could know better.
    fn check_cookies(&self, browser: &Browser) {
        let mut known = self.application.model.known();
        let failures: Vec<_> = browser
            .cookies()
            .iter()
            .filter_map(|cookie| known.live.get(&key_of(cookie)?))
            .filter(|live| live.owner.is_some() && !known.displaced.contains(&live.line))
            .map(|live| format!("an id of line {} that a browser had before its last logout lets in", live.line))
            .collect();
        known.failures.extend(failures);
    }

    async fn check_user(self: &Arc<Self>, browser: &Arc<Browser>, user: Option<&str>) {
        self.send(browser, Act::Look, false).take().await;
        let mut known = self.application.model.known();
        let seen = known.requests.values().next_back().and_then(|asked| asked.owner.clone());
        if seen.as_deref() != user {
            known.failures.push(format!("when all is quiet, a browser that is {user:?} is seen as {seen:?}"));
        }
    }
}
