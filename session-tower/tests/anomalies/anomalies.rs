//! The histories of docs/anomalies.md through the layer: a handler is paused in the middle, other requests run through, and then the
//! store and the browser's cookie are looked at.

//!
//! The file above says how a request is sent through its framework's layer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Response, header};
use session_core::{Clock, Expiry, ManualClock, OwnerId, Page, Record, Scope, SessionIndex, SessionStore, SystemClock};
use session_http::{Error, Secrets, Session, SessionConfig};
use session_store_memory::MemoryStore;
use tokio::sync::Notify;

use super::{Layer, send};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

type Act = fn(&Session) -> Result<(), Error>;

/// What a handler does: something, a pause if there is a gate, and something else.
#[derive(Clone)]
pub(super) struct Script {
    before: Act,
    gate: Option<Arc<Gate>>,
    after: Act,
}

impl Script {
    pub(super) async fn run(&self, session: &Session) -> Result<String, Error> {
        (self.before)(session)?;
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        (self.after)(session)?;
        Ok(session.get::<u32>("n")?.unwrap_or_default().to_string())
    }
}

#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

/// One application, and one browser.
struct Site {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    layer: Layer,
    cookie: Mutex<String>,
}

fn nothing(_: &Session) -> Result<(), Error> {
    Ok(())
}

fn increment(session: &Session) -> Result<(), Error> {
    session.modify("n", |n: &mut u32| *n += 1)
}

fn touch(session: &Session) -> Result<(), Error> {
    session.touch();
    Ok(())
}

fn rotate(session: &Session) -> Result<(), Error> {
    session.rotate();
    Ok(())
}

fn login(session: &Session) -> Result<(), Error> {
    session.login("ada")
}

fn logout(session: &Session) -> Result<(), Error> {
    session.logout();
    Ok(())
}

impl Site {
    /// A site whose browser has a session with `n` set to 1. It ends an hour after its last use, and a day after its beginning.
    async fn new() -> Self {
        Self::with_clocks(|clock| clock).await
    }

    /// The store has another clock than the application.
    async fn with_clocks(of_store: impl FnOnce(Arc<ManualClock>) -> Arc<ManualClock>) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = Arc::new(MemoryStore::new().with_clock(of_store(clock.clone())));
        let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
        let expiry = Expiry::idle_and_absolute(HOUR, 24 * HOUR).expect("not zero");
        let config = SessionConfig::new(store.clone(), secrets).with_clock(clock.clone()).with_expiry(expiry);
        let layer = Layer::from(config);
        let site = Self { store, clock, layer, cookie: Mutex::default() };
        site.request(increment).await;
        site
    }

    fn cookie(&self) -> String {
        self.cookie.lock().expect("no test panics under this lock").clone()
    }

    fn learn(&self, response: &Response<String>) {
        if let Some(line) = response.headers().get(header::SET_COOKIE) {
            let line = line.to_str().expect("our cookies are text");
            let pair = if line.contains("Max-Age=0") { "" } else { line.split(';').next().unwrap_or_default() };
            *self.cookie.lock().expect("no test panics under this lock") = pair.to_owned();
        }
    }

    async fn request(&self, act: Act) -> Response<String> {
        let script = Script { before: act, gate: None, after: nothing };
        let response = send(self.layer.clone(), self.cookie(), script).await;
        self.learn(&response);
        response
    }

    /// Runs `meanwhile` while a handler is paused between two steps, and returns that one's response.
    async fn paused(&self, before: Act, after: Act, meanwhile: impl AsyncFnOnce()) -> Response<String> {
        let gate = Arc::new(Gate::default());
        let script = Script { before, gate: Some(gate.clone()), after };
        let others = async {
            gate.reached.notified().await;
            meanwhile().await;
            gate.open.notify_one();
        };
        let (response, ()) = tokio::join!(send(self.layer.clone(), self.cookie(), script), others);
        self.learn(&response);
        response
    }

    async fn records(&self) -> Vec<Record> {
        let listing = self.store.list(Scope::All, &Page::first(100)).await.expect("the memory store lists");
        let mut records = Vec::new();
        for info in listing.sessions {
            let loaded = self.store.load(&info.key).await.expect("the memory store loads");
            records.push(loaded.expect("what is listed is live").0);
        }
        records
    }

    /// Returns `n` as the browser's next request sees it; 0 if it has no session.
    async fn n(&self) -> u32 {
        self.request(nothing).await.body().parse().expect("it is a number")
    }
}

#[tokio::test]
async fn a1_no_update_is_lost_whatever_the_paused_request_does_then() {
    for (before, after, expected) in
        [(nothing as Act, increment as Act, 7), (increment, increment, 8), (touch, nothing, 6)]
    {
        let site = Site::new().await;
        site.paused(before, after, async || {
            for _ in 0..5 {
                site.request(increment).await;
            }
        })
        .await;
        assert_eq!((site.n().await, site.records().await.len()), (expected, 1));
    }
}

#[tokio::test]
async fn a2_a_logout_is_not_undone() {
    for after in [increment as Act, touch, rotate, nothing] {
        let site = Site::new().await;
        let before = site.cookie();
        site.clock.advance(2 * MINUTE);
        let paused = site.paused(increment, after, async || drop(site.request(logout).await)).await;
        assert!(paused.status() == 409 && !paused.headers().contains_key(header::SET_COOKIE));
        assert_eq!((site.cookie().as_str(), site.records().await.len()), ("", 0));
        *site.cookie.lock().expect("no test panics under this lock") = before;
        assert_eq!(site.n().await, 0);
    }
}

#[tokio::test]
async fn a3_a_stale_write_after_a_rotation_touches_neither_the_session_nor_the_cookie() {
    for change in [rotate as Act, login] {
        for (after, status) in [(increment as Act, 409), (touch, 200), (rotate, 409)] {
            let site = Site::new().await;
            let old = site.cookie();
            let paused = site.paused(nothing, after, async || drop(site.request(change).await)).await;
            assert_eq!(paused.status(), status);
            assert!(!paused.headers().contains_key(header::SET_COOKIE));
            assert_ne!(site.cookie(), old);
            assert_eq!((site.n().await, site.records().await.len()), (1, 1));
            *site.cookie.lock().expect("no test panics under this lock") = old;
            assert_eq!(site.n().await, 0, "the old id is dead");
        }
    }
}

#[tokio::test]
async fn a3_a_logout_after_a_rotation_ends_what_the_id_became() {
    for change in [rotate as Act, login] {
        let site = Site::new().await;
        let paused = site.paused(nothing, logout, async || drop(site.request(change).await)).await;
        assert_eq!(paused.status(), 200);
        assert_eq!((site.cookie().as_str(), site.records().await.len()), ("", 0));
    }
}

#[tokio::test]
async fn a5_a14_and_a19_the_end_moves_forward_only_and_never_past_the_deadline() {
    let site = Site::new().await;
    let deadline = site.records().await[0].deadline.expect("there is an absolute lifetime");
    for after in [touch as Act, increment, rotate] {
        let mut acknowledged = None;
        site.paused(nothing, after, async || {
            site.clock.advance(10 * MINUTE);
            site.request(touch).await;
            acknowledged = site.records().await.first().map(|record| record.expires_at);
        })
        .await;
        let record = site.records().await.remove(0);
        assert!(Some(record.expires_at) >= acknowledged);
        assert_eq!(record.deadline, Some(deadline));
    }
    while site.clock.now() < deadline {
        site.request(|session| {
            session.set_max_age(Some(Duration::MAX));
            increment(session)
        })
        .await;
        assert!(site.records().await.iter().all(|record| record.expires_at <= deadline));
        site.clock.advance(HOUR);
    }
    assert_eq!((site.n().await, site.records().await.len()), (0, 0));
}

#[tokio::test]
async fn a6_and_a9_what_has_expired_while_the_handler_was_paused_stays_so() {
    for after in [increment as Act, touch, rotate, nothing] {
        let site = Site::new().await;
        let paused = site.paused(increment, after, async || site.clock.advance(HOUR)).await;
        assert!(!paused.headers().contains_key(header::SET_COOKIE));
        assert_eq!((site.n().await, site.records().await.len()), (0, 0));
    }
}

#[tokio::test]
async fn a10_clocks_that_differ_move_the_end_by_as_much_and_no_more() {
    for (ahead, behind) in [(5 * MINUTE, Duration::ZERO), (Duration::ZERO, 5 * MINUTE)] {
        let mut of_store = None;
        let site = Site::with_clocks(|clock| {
            let now = clock.now().saturating_add(ahead).saturating_sub(behind);
            of_store.insert(Arc::new(ManualClock::new(now))).clone()
        })
        .await;
        let of_store = of_store.expect("it was made");
        let wait = HOUR + behind - ahead - Duration::from_millis(1);
        of_store.advance(wait);
        assert_eq!(site.records().await.len(), 1);
        of_store.advance(Duration::from_millis(1));
        assert_eq!((site.n().await, site.records().await.len()), (0, 0));
    }
}

#[tokio::test]
async fn a11_a_rotation_and_a_logout_leave_nothing_in_one_request_or_in_two() {
    for before in [rotate as Act, login, increment] {
        let site = Site::new().await;
        site.paused(before, logout, async || drop(site.request(increment).await)).await;
        assert_eq!((site.cookie().as_str(), site.records().await.len()), ("", 0));
    }
}

#[tokio::test]
async fn a13_the_list_of_a_user_is_that_of_his_records_at_every_step() {
    let site = Site::new().await;
    let ada = OwnerId::parse("ada").expect("a short name is an owner");
    let count = async || site.store.count(Scope::Owner(&ada)).await.expect("the memory store counts");
    site.paused(login, increment, async || assert_eq!(count().await, 0)).await;
    assert_eq!(count().await, 1);
    site.paused(rotate, nothing, async || assert_eq!(count().await, 1)).await;
    assert_eq!(count().await, 1);
    site.paused(logout, nothing, async || assert_eq!(count().await, 1)).await;
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn a15_a17_and_a20_the_next_request_sees_all_of_the_last_and_a_read_creates_nothing() {
    let site = Site::new().await;
    for n in 2..20 {
        assert_eq!(site.request(increment).await.body(), &n.to_string());
        assert_eq!(site.n().await, n);
    }
    let unknown =
        SessionConfig::new(Arc::new(MemoryStore::new()), Secrets::random_for_development().expect("it works"));
    for layer in [site.layer.clone(), Layer::from(unknown)] {
        for cookie in ["", "__Host-session=made-up"] {
            let script = Script { before: nothing, gate: None, after: touch };
            let response = send(layer.clone(), cookie.to_owned(), script).await;
            assert!(!response.headers().contains_key(header::SET_COOKIE));
        }
    }
    assert_eq!(site.records().await.len(), 1);
}
