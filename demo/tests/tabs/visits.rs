//! What a user does in one visit.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::browser::{Browser, Tab};
use crate::random::Random;
use crate::settings::Settings;
use crate::tally::Tally;

const TABS: u64 = 3;
/// Of so many requests of a tab, one is a login.
const REQUESTS_PER_LOGIN: u64 = 8;
/// How often a user who is refused tries a form again.
const ATTEMPTS: usize = 5;

/// A user who comes with an empty jar, and what was answered.
pub(crate) struct Visit<'a> {
    browser: Browser<'a>,
    user: String,
    random: Mutex<Random>,
    steps: u64,
    answered: Mutex<Answered>,
}

#[derive(Default)]
struct Answered {
    tally: Tally,
    /// The items that were answered with success, and the others.
    items: BTreeSet<String>,
    refused_items: BTreeSet<String>,
    sent: usize,
}

impl<'a> Visit<'a> {
    /// Prepares a visit; `part` says which one of the run it is.
    pub(crate) fn new(servers: &'a [String], settings: &Settings, part: [u64; 3]) -> Self {
        let [kind, browser, round] = part;
        // Servers may have users of an earlier run.
        let user = format!("user-{}-{kind}-{browser}-{round}", std::process::id());
        let random = Mutex::new(Random::of(settings.seed, &part));
        Self { browser: Browser::new(servers), user, random, steps: settings.steps, answered: Mutex::default() }
    }

    pub(crate) fn into_tally(self) -> Tally {
        let mut tally = self.answered.into_inner().unwrap().tally;
        tally.visits = 1;
        tally.lost_carts = usize::from(tally.lost > 0);
        tally
    }

    /// Opens a tab that does what no other does.
    fn tab(&self) -> Tab<'_> {
        self.browser.tab(Random::new(self.random.lock().unwrap().next()))
    }

    /// Begins an anonymous session, as everybody does; three tabs without a cookie would begin three.
    fn begin(&self) {
        let mut tab = self.tab();
        for _ in 0..3 {
            self.add_item(&mut tab);
        }
    }

    /// Puts an item into the cart, and thinks for a moment in every second one.
    fn add_item(&self, tab: &mut Tab<'_>) {
        let number = {
            let mut answered = self.answered.lock().unwrap();
            answered.sent += 1;
            answered.sent
        };
        let item = format!("{} {number}", self.user);
        let delay = if tab.random.one_in(2) { 0 } else { tab.random.below(10) };
        let status = tab.post("/cart", &[("item", &item), ("delay_ms", &delay.to_string())]);
        let is_success = self.note(status);
        let mut answered = self.answered.lock().unwrap();
        if is_success {
            answered.tally.items += 1;
            answered.items.insert(item);
        } else {
            answered.refused_items.insert(item);
        }
    }

    fn log_in(&self, tab: &mut Tab<'_>) -> bool {
        let status = tab.post("/login", &[("user", &self.user)]);
        self.note_login(status)
    }

    fn note_login(&self, status: u16) -> bool {
        let is_success = self.note(status);
        self.answered.lock().unwrap().tally.logins += usize::from(is_success);
        is_success
    }

    fn note(&self, status: u16) -> bool {
        let tally = &mut self.answered.lock().unwrap().tally;
        match status {
            200..400 => return true,
            409 => tally.refused += 1,
            _ => tally.failed += 1,
        }
        false
    }

    /// Lets three tabs shop and log in at the same time, until each has sent its requests; `meanwhile` is called with
    /// a count of the requests that were answered.
    fn use_tabs(&self, meanwhile: impl FnOnce(&AtomicUsize)) {
        let count = &AtomicUsize::new(0);
        thread::scope(|scope| {
            for mut tab in (0..TABS).map(|_| self.tab()) {
                scope.spawn(move || {
                    for _ in 0..self.steps {
                        if tab.random.one_in(REQUESTS_PER_LOGIN) {
                            self.log_in(&mut tab);
                        } else {
                            self.add_item(&mut tab);
                        }
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            meanwhile(count);
        });
    }

    /// Looks at what there is when all is answered, as the user; who is not logged in logs in first.
    fn look(&self) {
        let mut tab = self.tab();
        let was_logged_in = self.answered.lock().unwrap().tally.logins > 0;
        let mut seen = tab.session();
        if seen.user.is_none() {
            self.answered.lock().unwrap().tally.logged_out += usize::from(was_logged_in);
        }
        // A login that nobody waits for may still be on its way, and come in between.
        for _ in 0..ATTEMPTS {
            if seen.user.is_some() {
                break;
            }
            self.log_in(&mut tab);
            seen = tab.session();
        }
        let cart: BTreeSet<&String> = seen.cart.iter().collect();
        let Answered { tally, items, refused_items, .. } = &mut *self.answered.lock().unwrap();
        tally.lost += items.iter().filter(|item| !cart.contains(item)).count();
        tally.twice += seen.cart.len() - cart.len();
        tally.unpromised += refused_items.iter().filter(|item| cart.contains(item)).count();
        let is_ours = |item: &String| items.contains(item) || refused_items.contains(item);
        tally.foreign += cart.iter().filter(|item| !is_ours(item)).count();
        tally.foreign += usize::from(seen.user.as_ref() != Some(&self.user));
        tally.out_of_reach += seen.sessions_elsewhere();
    }
}

/// Three tabs shop and log in.
pub(crate) fn shop(visit: &Visit<'_>) {
    visit.begin();
    visit.use_tabs(|_| ());
    visit.look();
}

/// The answer of a login does not arrive, so the user logs in again, with the cookie from before. Some were logged in
/// already; some shop a little more in between.
pub(crate) fn lose_an_answer(visit: &Visit<'_>) {
    visit.begin();
    let mut tab = visit.tab();
    if tab.random.one_in(3) {
        visit.log_in(&mut tab);
    }
    let after = if tab.random.one_in(3) { 0 } else { tab.random.below(8_000) };
    tab.post_login_and_leave(&visit.user, Duration::from_micros(after));
    if tab.random.one_in(3) {
        visit.add_item(&mut tab);
    }
    (0..ATTEMPTS).any(|_| visit.log_in(&mut tab));
    visit.look();
}

/// The button of a login form is clicked twice: two requests with the same cookie. Some were logged in already.
pub(crate) fn click_twice(visit: &Visit<'_>) {
    visit.begin();
    let mut tabs = [visit.tab(), visit.tab()];
    if tabs[0].random.one_in(3) {
        visit.log_in(&mut tabs[0]);
    }
    // Half of the second clicks come a moment later.
    let delays = [0, if tabs[1].random.one_in(2) { 0 } else { tabs[1].random.below(4_000) }];
    let (cookie, both) = (visit.browser.cookie(), Barrier::new(2));
    thread::scope(|scope| {
        for (mut tab, delay) in tabs.into_iter().zip(delays) {
            let (both, cookie) = (&both, cookie.as_deref());
            scope.spawn(move || {
                both.wait();
                thread::sleep(Duration::from_micros(delay));
                let status = tab.post_with(cookie, "/login", &[("user", &visit.user)]);
                visit.note_login(status);
            });
        }
    });
    visit.look();
}

/// Three tabs shop and log in, and the user logs out: half of them when all is quiet, half in the midst of it. Every
/// cookie that the browser had when the logout was sent is tried afterwards.
pub(crate) fn log_out(visit: &Visit<'_>) {
    visit.begin();
    let mut tab = visit.tab();
    let in_the_midst = tab.random.one_in(2).then(|| tab.random.below(TABS * visit.steps) as usize);
    let mut earlier = BTreeSet::new();
    visit.use_tabs(|count| {
        if let Some(after) = in_the_midst {
            while count.load(Ordering::Relaxed) < after {
                thread::sleep(Duration::from_micros(200));
            }
            earlier = end(visit, &mut tab);
        }
    });
    if in_the_midst.is_none() {
        earlier = end(visit, &mut tab);
    }
    let let_in = earlier.iter().filter(|cookie| tab.session_of(Some(cookie)).user.is_some()).count();
    let tally = &mut visit.answered.lock().unwrap().tally;
    tally.earlier_cookies += earlier.len();
    tally.let_in += let_in;
}

/// Logs out, and returns the cookies that the browser had before. Who is refused logs in and tries it again.
fn end(visit: &Visit<'_>, tab: &mut Tab<'_>) -> BTreeSet<String> {
    for _ in 0..ATTEMPTS {
        let had = visit.browser.had();
        let status = tab.post("/logout", &[]);
        if visit.note(status) {
            visit.answered.lock().unwrap().tally.logouts += 1;
            return had;
        }
        visit.log_in(tab);
    }
    BTreeSet::new()
}
