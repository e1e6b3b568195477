//! Asks every example over HTTP, on a port of this machine.

#[path = "../examples/api_header.rs"]
mod api_header;
mod client;
#[path = "../examples/encrypted.rs"]
mod encrypted;
#[path = "../examples/login.rs"]
mod login;
#[path = "../examples/plain_tower.rs"]
mod plain_tower;
#[path = "../examples/remember_me.rs"]
mod remember_me;
#[path = "../examples/url_parameter.rs"]
mod url_parameter;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use client::{Answer, Browser, ask};
use session_core::{Page, Scope, SessionIndex, SessionStore};
use session_store_memory::MemoryStore;
use session_store_sqlx::SqliteStore;
use session_tower::Secrets;
use tokio::net::TcpListener;

fn secrets() -> Secrets {
    Secrets::random_for_development().expect("the test machine has randomness")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("the machine has a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Serves until the test ends.
async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn login_devices_and_a_fresh_password() {
    let store = Arc::new(MemoryStore::new());
    let address = serve(login::app(store.clone(), secrets())).await;
    let (mut laptop, mut phone) = (Browser::new(address), Browser::new(address));
    assert_eq!(laptop.get("/").await.body, "Hello, stranger");
    assert_eq!(laptop.post("/login", "user=ada&password=guess").await.status, 401);
    assert_eq!(laptop.post("/password", "").await.status, 403);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 0);
    for browser in [&mut laptop, &mut phone] {
        assert_eq!(browser.post("/login", "user=ada&password=lovelace").await.status, 303);
        assert_eq!(browser.get("/").await.body, "Hello, ada");
    }
    let devices = laptop.get("/devices").await.body;
    assert_eq!(devices.lines().count(), 2);
    assert!(laptop.post("/password", "").await.body.starts_with("changed, and 1 other"));
    assert_eq!(phone.get("/").await.body, "Hello, stranger");

    phone.post("/login", "user=ada&password=lovelace").await;
    let devices = laptop.get("/devices").await.body;
    let other = devices.lines().find(|line| !line.contains("this one")).expect("there are two");
    laptop.post("/devices", &format!("key={other}")).await;
    assert_eq!(phone.get("/").await.body, "Hello, stranger");
    assert_eq!(laptop.post("/logout", "").await.status, 303);
    assert_eq!((laptop.cookie.as_deref(), store.count(Scope::All).await.expect("it counts")), (None, 0));
}

/// Fifty browsers log in at once, over HTTP, where five sessions are allowed.
async fn fifty_logins(store: Arc<dyn SessionIndex>) {
    let address = serve(login::app(store.clone(), secrets())).await;
    let logins: Vec<_> = (0..50)
        .map(|_| {
            tokio::spawn(async move {
                let mut browser = Browser::new(address);
                assert_eq!(browser.post("/login", "user=ada&password=lovelace").await.status, 303);
                browser
            })
        })
        .collect();
    let mut browsers = Vec::new();
    for login in logins {
        browsers.push(login.await.expect("no login panics"));
    }
    let mut alive = 0;
    for browser in &mut browsers {
        alive += usize::from(browser.get("/").await.body == "Hello, ada");
    }
    assert_eq!((alive, store.count(Scope::All).await.expect("the store counts")), (5, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_logins_at_once_end_with_as_many_as_are_allowed_on_memory_and_on_sqlite() {
    fifty_logins(Arc::new(MemoryStore::new())).await;
    let folder = tempfile::tempdir().expect("the machine has a folder for temporary files");
    let file = folder.path().join("sessions.db");
    let store = SqliteStore::open(&file.to_string_lossy()).await.expect("the folder is writable");
    store.setup().await.expect("the file is new");
    fifty_logins(Arc::new(store.clone())).await;
    store.close().await;
}

#[tokio::test]
async fn plain_tower_counts_visits() {
    let (listener, address) = listen().await;
    tokio::spawn(plain_tower::serve(listener, Arc::new(MemoryStore::new()), secrets()));
    let (mut one, mut two) = (Browser::new(address), Browser::new(address));
    for visit in 1..4 {
        assert_eq!(one.get("/").await.body, format!("visit {visit}"));
    }
    assert_eq!(two.get("/").await.body, "visit 1");
}

#[tokio::test]
async fn an_api_gives_and_takes_the_id_in_a_header() {
    let address = serve(api_header::app(Arc::new(MemoryStore::new()), secrets())).await;
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let login = ask(address, "POST", "/login", &[("content-type", form)], "user=ada").await;
    assert_eq!(
        (login.status, login.header("set-cookie"), login.header("cache-control")),
        (204, None, Some("no-store"))
    );
    let id = login.header("session-id").expect("it was given one").to_owned();
    let added = ask(address, "POST", "/cart", &[("content-type", json), ("session-id", &id)], "\"tea\"").await;
    assert_eq!((added.status, added.header("session-id")), (204, None));
    let cart = ask(address, "GET", "/cart", &[("session-id", &id)], "").await;
    assert_eq!((cart.body.as_str(), cart.header("vary")), ("[\"tea\"]", Some("session-id")));
    let forged = ask(address, "GET", "/cart", &[("session-id", &id.replace('.', "A."))], "").await;
    assert_eq!(forged.body, "[]");
    let logout = ask(address, "POST", "/logout", &[("session-id", &id)], "").await;
    assert_eq!(logout.header("session-id"), Some(""));
    assert_eq!(ask(address, "GET", "/cart", &[("session-id", &id)], "").await.body, "[]");
}

#[tokio::test]
async fn who_wants_to_be_remembered_gets_a_cookie_that_stays() {
    let app = remember_me::app(Arc::new(MemoryStore::new()), secrets()).expect("the times are valid");
    let address = serve(app).await;
    // The session began a moment before its cookie was written.
    let month = 2_592_000 - 60..=2_592_000;
    for (form, stays) in [("user=ada&remember=on", true), ("user=ada", false)] {
        let mut browser = Browser::new(address);
        let login = browser.post("/login", form).await;
        let line = login.header("set-cookie").expect("the login sets the cookie");
        let age: Option<u32> = line.split_once("Max-Age=").map(|(_, age)| age.parse().expect("it is a number"));
        assert_eq!(age.is_some_and(|age| month.contains(&age)), stays, "{line}");
        assert_eq!(age.is_some(), stays, "{line}");
        assert_eq!(browser.get("/").await.body, "Hello, ada");
    }
}

#[tokio::test]
async fn an_id_in_the_url_is_carried_by_redirects_and_forms() {
    let app = url_parameter::app(Arc::new(MemoryStore::new()), secrets()).expect("the time is valid");
    let address = serve(app).await;
    let location = |answer: &Answer| answer.header("location").expect("it is a redirect").to_owned();
    let first = ask(address, "POST", "/count", &[], "").await;
    assert_eq!(
        (first.header("referrer-policy"), first.header("cache-control")),
        (Some("no-referrer"), Some("no-store"))
    );
    let mut url = location(&first);
    for count in 1..4 {
        let page = ask(address, "GET", &url, &[], "").await;
        assert!(page.body.contains(&format!(">{count} <")), "{}", page.body);
        assert_eq!(
            (page.header("referrer-policy"), page.header("cache-control")),
            (Some("no-referrer"), Some("no-store"))
        );
        let action = page.body.split('"').nth(1).expect("the form has an action").to_owned();
        url = location(&ask(address, "POST", &action, &[], "").await);
    }
    let id = url.split_once("sid=").expect("the URL has it").1;
    // The same id twice is one; of two sessions that are live none counts.
    let twice = ask(address, "GET", &format!("/?sid={id}&sid={id}"), &[], "").await;
    assert!(twice.body.contains(">4 <"), "{}", twice.body);
    let second = location(&ask(address, "POST", "/count", &[], "").await);
    let other = second.split_once("sid=").expect("the URL has it").1;
    for bad in [format!("/?sid={id}&sid={other}"), "/?sid=\"><script>".to_owned(), format!("/?sid={}", &id[..32])] {
        let page = ask(address, "GET", &bad.replace(['"', '<', '>'], "%22"), &[], "").await;
        assert!(page.body.contains("action=\"/count\">0 <"), "{}", page.body);
    }
}

#[tokio::test]
async fn an_encrypted_store_shows_nothing_of_what_sessions_hold() {
    let store = encrypted::encrypted(MemoryStore::new(), &"a1".repeat(32)).expect("the key is one");
    let store = Arc::new(store);
    let address = serve(encrypted::app(store.clone(), secrets())).await;
    let mut browser = Browser::new(address);
    assert_eq!(browser.post("/note", "note=nobody-reads-this").await.status, 200);
    assert_eq!(browser.get("/note").await.body, "nobody-reads-this");
    let listing = store.inner().list(Scope::All, &Page::first(10)).await.expect("it lists");
    let [info] = &listing.sessions[..] else { panic!("there is one session") };
    let (stored, _) = store.inner().load(&info.key).await.expect("it works").expect("it is live");
    assert!(!stored.data.as_str().contains("nobody-reads-this") && !stored.data.as_str().contains("note"));
}
