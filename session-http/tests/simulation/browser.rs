//! Browsers: several tabs that share a jar, answers that overtake one another or never arrive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::act::{Act, Job, Save};
use crate::application::{Application, Leaving, Reply};
use crate::cookies::key_of;
use crate::executor::Mailbox;
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Browser {
    number: usize,
    /// Who uses it, mostly.
    pub(crate) user: &'static str,
    /// All cookies that it ever had, the one that it has now last.
    jar: Mutex<Vec<Option<String>>>,
    /// A cookie of the same name with another scope, from before a change of the configuration, which no answer replaces.
    earlier: Mutex<Option<String>>,
}

impl Browser {
    pub(crate) fn new(number: usize, user: &'static str) -> Arc<Self> {
        Arc::new(Self { number, user, jar: Mutex::default(), earlier: Mutex::default() })
    }

    pub(crate) fn cookie(&self) -> Option<String> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().flatten()
    }

    /// Returns what it sends: one cookie, or that of another scope too.
    pub(crate) fn sent(&self) -> Vec<String> {
        let earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut sent: Vec<_> = self.cookie().into_iter().chain(earlier).collect();
        sent.dedup();
        sent
    }

    fn change_scope(&self) {
        *self.earlier.lock().unwrap_or_else(PoisonError::into_inner) = self.cookie();
    }

    /// Returns every cookie that it ever had.
    pub(crate) fn cookies(&self) -> Vec<String> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().cloned().collect()
    }

    pub(crate) fn keep(&self, cookie: Option<String>) {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner).push(cookie);
    }
}

/// One run's browsers and what they talk to.
pub(crate) struct Town {
    pub(crate) application: Arc<Application>,
    pub(crate) browsers: Vec<Arc<Browser>>,
    pub(crate) settings: Settings,
    requests: Mutex<usize>,
}

impl Town {
    pub(crate) fn new(application: Arc<Application>, settings: Settings) -> Arc<Self> {
        let users = ["ada", "bob", "ada"];
        let mut browsers: Vec<_> =
            (0..settings.browsers).map(|number| Browser::new(number, users[number % 3])).collect();
        if settings.has_thief {
            browsers.push(Browser::new(settings.browsers, "mallory"));
        }
        Arc::new(Self { application, browsers, settings, requests: Mutex::new(0) })
    }

    /// Has all tabs of all browsers begin.
    pub(crate) fn open_tabs(self: &Arc<Self>) {
        let world = &self.application.world;
        for browser in &self.browsers {
            for _ in 0..=world.below(3) {
                let (town, browser) = (self.clone(), browser.clone());
                world.spawn(0, async move { town.use_tab(&browser).await });
            }
        }
    }

    async fn use_tab(self: &Arc<Self>, browser: &Arc<Browser>) {
        let world = &self.application.world;
        for _ in 0..=world.below(6) {
            match world.below(8) {
                0 => world.sleep(Duration::from_millis(world.below(40_000))).await,
                1..4 => world.sleep(Duration::from_millis(world.below(1500))).await,
                _ => world.pause(1).await,
            }
            if self.settings.has_thief && world.chance(25) {
                self.share_cookie(browser);
            }
            if self.settings.changes_scope && world.chance(20) {
                world.note(|| format!("browser {} has its cookie in an earlier scope too", browser.number));
                browser.change_scope();
            }
            let act = self.choose(browser);
            let answer = self.send(browser, act, true);
            // A double click sends the same again.
            let second = (!act.is_read() && world.chance(15)).then(|| self.send(browser, act, true));
            if world.chance(70) {
                let is_answered = answer.take().await.is_some_and(|reply| reply.status < 500);
                if let Some(second) = second {
                    second.take().await;
                }
                // What a user does who sees an error, or nothing at all.
                if !is_answered && world.chance(60) {
                    self.send(browser, act, true).take().await;
                }
            }
        }
    }

    fn choose(&self, browser: &Browser) -> Act {
        let world = &self.application.world;
        let user = if browser.user != "mallory" && world.chance(8) { "bob" } else { browser.user };
        match world.below(50) {
            0..9 => Act::Look,
            9..18 => Act::Add,
            18..22 => Act::Set,
            22..25 => Act::Update,
            25..35 => Act::Login(user),
            35..40 => Act::Logout,
            40..42 => Act::Reauthenticate,
            42..44 => Act::EndOthers,
            44..46 => Act::Rotate,
            46 => Act::EndOne,
            47 => Act::Clear,
            48 => Act::Take,
            _ => Act::SetMaxAge,
        }
    }

    /// Mallory plants her anonymous cookie, or learns that of somebody who is not logged in.
    fn share_cookie(&self, browser: &Browser) {
        let world = &self.application.world;
        let victim = &self.browsers[0];
        let Some(thief) = self.browsers.last().filter(|thief| thief.number == browser.number) else { return };
        let is_anonymous = |cookie: &String| {
            let known = self.application.model.known();
            key_of(cookie).and_then(|key| known.live.get(&key)).is_some_and(|live| live.owner.is_none())
        };
        let (from, to) = if world.chance(50) { (thief, victim) } else { (victim, thief) };
        if let Some(cookie) = from.cookie().filter(is_anonymous) {
            let before = to.cookie().and_then(|id| key_of(&id));
            self.application.model.replace(0, before.as_ref(), key_of(&cookie).as_ref());
            world.note(|| format!("browser {} gets the cookie of browser {}", to.number, from.number));
            to.keep(Some(cookie));
        }
    }

    /// Sends a request, whose task goes on by itself; the mailbox says that it is over, and how.
    pub(crate) fn send(
        self: &Arc<Self>,
        browser: &Arc<Browser>,
        act: Act,
        is_rough: bool,
    ) -> Arc<Mailbox<Option<Reply>>> {
        let world = &self.application.world;
        let number = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            *requests += 1;
            *requests
        };
        let millis = world.millis();
        let server = world.draw(|random| self.settings.server(random, millis));
        let save = match world.below(10) {
            0 | 1 if !act.is_read() => Save::Yes,
            2 if !act.is_read() && is_rough => Save::Cancelled(world.below(6)),
            _ => Save::No,
        };
        let is_leaving = is_rough && world.chance(8);
        let leaving = is_leaving.then(|| match world.chance(50) {
            true => Leaving { after: world.below(4), at_commit: true },
            false => Leaving { after: world.below(12), at_commit: false },
        });
        let job = Job { number, browser: browser.number, server, act, save };
        let mut cookies = browser.sent();
        if cookies.len() > 1 && world.chance(50) {
            cookies.reverse();
        }
        world.note(|| {
            let ids: Vec<_> =
                cookies.iter().filter_map(|id| key_of(id)).map(|key| self.application.model.name(&key)).collect();
            let shown = if ids.is_empty() { "no cookie".into() } else { ids.join(" and ") };
            format!("#{number} browser {} to server {server}: {act:?} with {shown}, save: {save:?}", browser.number)
        });
        let mailbox = Mailbox::new();
        let (town, browser, done) = (self.clone(), browser.clone(), mailbox.clone());
        world.spawn(number, async move {
            let world = &town.application.world;
            town.travel(is_rough).await;
            let mut reply = town.application.serve(job, &cookies, leaving).await;
            town.travel(is_rough).await;
            if is_rough && world.chance(4) {
                world.note(|| format!("  #{number} the answer is lost on its way"));
                reply = None;
            }
            if let Some(cookie) = reply.as_ref().and_then(|reply| reply.cookie.clone()) {
                world.note(|| format!("  #{number} browser {} keeps its cookie", browser.number));
                let reader = town.reader(&browser);
                let (before, after) = (reader.cookie().and_then(|id| key_of(&id)), cookie.as_deref().and_then(key_of));
                town.application.model.replace(number, before.as_ref(), after.as_ref());
                reader.keep(cookie);
            }
            done.put(reply);
        });
        mailbox
    }

    /// Returns who gets the response.
    fn reader<'b>(&'b self, browser: &'b Arc<Browser>) -> &'b Arc<Browser> {
        let is_swapped = self.application.fault == Some(crate::faults::Fault::ResponsesSwapped);
        if is_swapped && self.application.world.chance(10) { &self.browsers[0] } else { browser }
    }

    async fn travel(&self, is_rough: bool) {
        let world = &self.application.world;
        match world.below(12) {
            0 if is_rough => world.sleep(Duration::from_millis(world.below(3000))).await,
            1..5 => world.pause(world.below(6)).await,
            _ => {}
        }
    }
}
