//! The middleware in applications of actix-web.

#[path = "../../session-tower/tests/distant/mod.rs"]
mod distant;

use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_web::body::to_bytes;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::{App, Error as ActixError, HttpResponse, Responder, test, web};
use distant::Distant;
use session_actix::{CookiePolicy, Error, FailurePolicy, Fresh, Secrets, Session, SessionConfig, SessionMiddleware};
use session_core::{OwnerId, Scope, SessionIndex as _};
use session_store_memory::MemoryStore;

const SECOND: Duration = Duration::from_secs(1);

fn config(store: Arc<dyn session_core::SessionIndex>) -> SessionConfig {
    SessionConfig::new(store, Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough"))
}

async fn add(session: Session) -> Result<String, Error> {
    let items = session.update("items", |items: &mut u32| {
        *items += 1;
        Ok::<_, Error>(*items)
    });
    Ok(items.await??.to_string())
}

async fn login(session: Session) -> Result<&'static str, Error> {
    session.login("ada")?;
    Ok("hello, ada")
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye"
}

async fn who(session: Option<Session>) -> String {
    session.and_then(|session| session.owner()).map_or_else(|| "nobody".to_owned(), |owner| owner.to_string())
}

async fn fresh(session: Fresh<60>) -> String {
    session.owner().map_or_else(String::new, |owner| owner.to_string())
}

async fn outage() -> Result<&'static str, Error> {
    Err(Error::Store(session_core::Error::unavailable("the server is away")))
}

fn routes(routes: &mut web::ServiceConfig) {
    routes
        .route("/add", web::post().to(add))
        .route("/login", web::post().to(login))
        .route("/logout", web::post().to(logout))
        .route("/who", web::get().to(who))
        .route("/fresh", web::get().to(fresh))
        .route("/outage", web::get().to(outage))
        .route("/plain", web::get().to(|| async { "no session" }));
}

/// A browser with one cookie.
#[derive(Default, Clone)]
struct Browser(String);

struct Answer {
    status: u16,
    body: String,
    cookies: Vec<String>,
    retry_after: Option<String>,
}

impl Browser {
    async fn send<B: actix_web::body::MessageBody>(
        &mut self,
        app: &impl Service<Request, Response = ServiceResponse<B>, Error = ActixError>,
        method: &str,
        path: &str,
    ) -> Answer {
        let method = method.parse().expect("a method");
        let request = test::TestRequest::with_uri(path).method(method).insert_header((COOKIE, self.0.as_str()));
        let response = app.call(request.to_request()).await.expect("it answers");
        let text = |name: &str| {
            let values = response.headers().get_all(name);
            values.map(|value| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        let cookies = text(SET_COOKIE.as_str());
        if let Some(cookie) = cookies.first() {
            let is_removal = cookie.contains("Max-Age=0");
            self.0 = cookie.split(';').next().filter(|_| !is_removal).unwrap_or_default().to_owned();
        }
        let (status, retry_after) = (response.status().as_u16(), text("retry-after").pop());
        let body = to_bytes(response.into_body()).await.map_err(|_| "a body").expect("a body");
        Answer { status, body: String::from_utf8(body.to_vec()).expect("text"), cookies, retry_after }
    }
}

#[actix_web::test]
async fn a_cart_a_login_and_a_logout() {
    let store = Arc::new(MemoryStore::new());
    let sessions = SessionMiddleware::from(config(store.clone()));
    let app = test::init_service(App::new().wrap(sessions).configure(routes)).await;
    let mut browser = Browser::default();
    assert_eq!(browser.send(&app, "GET", "/plain").await.cookies, [""; 0]);
    assert_eq!(browser.send(&app, "GET", "/who").await.body, "nobody");
    assert_eq!(store.count(Scope::All).await.expect("memory does not fail"), 0);

    let added = browser.send(&app, "POST", "/add").await;
    assert_eq!((added.status, added.body.as_str()), (200, "1"));
    let cookie = &added.cookies[0];
    for attribute in ["__Host-session=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{attribute} is missing in {cookie}");
    }
    let before = browser.clone();
    assert_eq!(browser.send(&app, "POST", "/login").await.status, 200);
    assert_ne!(browser.0, before.0, "a login changes the id");
    assert_eq!(before.clone().send(&app, "GET", "/who").await.body, "nobody");
    assert_eq!(browser.send(&app, "GET", "/who").await.body, "ada");
    assert_eq!(browser.send(&app, "GET", "/fresh").await.body, "ada");
    assert_eq!(browser.send(&app, "POST", "/add").await.body, "2", "the cart is kept");
    let ada = OwnerId::parse("ada").expect("an owner");
    assert_eq!(store.count(Scope::Owner(&ada)).await.expect("memory does not fail"), 1);

    let stolen = browser.clone();
    assert_eq!(browser.send(&app, "POST", "/logout").await.body, "bye");
    assert_eq!(browser.0, "");
    assert_eq!(stolen.clone().send(&app, "GET", "/who").await.body, "nobody");
    assert_eq!(store.count(Scope::All).await.expect("memory does not fail"), 0);
}

#[actix_web::test]
async fn refusals_are_responses_with_a_status_of_their_own() {
    let failure = FailurePolicy::default().with_retry_after(7 * SECOND);
    let sessions = SessionMiddleware::from(config(Arc::new(MemoryStore::new())).with_failure(failure));
    let app = test::init_service(App::new().wrap(sessions).configure(routes)).await;
    let mut browser = Browser::default();
    assert_eq!(browser.send(&app, "GET", "/fresh").await.status, 403);
    let outage = browser.send(&app, "GET", "/outage").await;
    assert_eq!((outage.status, outage.retry_after.as_deref()), (503, Some("7")));
    // Without the middleware it is a mistake, and an `Option` is none.
    let bare = test::init_service(App::new().configure(routes)).await;
    assert_eq!(browser.send(&bare, "POST", "/add").await.status, 500);
    assert_eq!(browser.send(&bare, "GET", "/who").await.body, "nobody");
}

#[actix_web::test]
async fn a_store_that_does_not_answer_is_a_503_and_no_cookie() {
    tokio::time::pause();
    let store = Arc::new(Distant::default());
    let sessions = SessionMiddleware::from(config(store.clone()).with_store_timeout(3 * SECOND));
    let app = test::init_service(App::new().wrap(sessions).configure(routes)).await;
    store.set_way(60 * SECOND, Duration::ZERO);
    let answer = Browser::default().send(&app, "POST", "/login").await;
    assert_eq!((answer.status, answer.cookies.len()), (503, 0));
    assert!(answer.retry_after.is_some());
}

#[actix_web::test]
async fn what_a_handler_did_is_stored_though_its_client_left() {
    for (there, back) in [(2 * SECOND, Duration::ZERO), (Duration::ZERO, 2 * SECOND)] {
        let store = Arc::new(Distant::default());
        let sessions = SessionMiddleware::from(config(store.clone()));
        let app = test::init_service(App::new().wrap(sessions).configure(routes)).await;
        let mut browser = Browser::default();
        browser.send(&app, "POST", "/login").await;
        tokio::time::pause();
        store.set_way(there, back);
        let leaving = browser.clone();
        let logout = async { leaving.clone().send(&app, "POST", "/logout").await };
        assert!(tokio::time::timeout(SECOND, logout).await.is_err(), "the client has left");
        tokio::time::sleep(20 * SECOND).await;
        store.set_way(Duration::ZERO, Duration::ZERO);
        tokio::time::resume();
        assert_eq!(browser.send(&app, "GET", "/who").await.body, "nobody", "{there:?} {back:?}");
    }
}

#[actix_web::test]
async fn around_one_route_twice_it_is_one_session() {
    let store = Arc::new(MemoryStore::new());
    let sessions = SessionMiddleware::from(config(store.clone()));
    let scope = web::scope("/shop").wrap(sessions.clone()).route("/add", web::post().to(add));
    let app = test::init_service(App::new().service(scope).wrap(sessions)).await;
    let mut browser = Browser::default();
    assert_eq!(browser.send(&app, "POST", "/shop/add").await.cookies.len(), 1);
    assert_eq!(browser.send(&app, "POST", "/shop/add").await.body, "2");
    assert_eq!(store.count(Scope::All).await.expect("memory does not fail"), 1);
}

#[actix_web::test]
async fn a_cookie_of_a_path_is_found_in_a_scope_and_not_outside() {
    let cookie = CookiePolicy::builder().with_name("shop").with_path("/shop").build().expect("it is valid");
    let config = config(Arc::new(MemoryStore::new())).with_cookie(cookie).with_path_gating();
    let scope = web::scope("/shop").route("/add", web::post().to(add));
    let outside = web::post().to(|session: Option<Session>| async move { session.is_none().to_string() });
    let app = App::new().wrap(SessionMiddleware::from(config)).service(scope).route("/outside", outside);
    let app = test::init_service(app).await;
    let mut browser = Browser::default();
    assert!(browser.send(&app, "POST", "/shop/add").await.cookies[0].contains("Path=/shop"));
    assert_eq!(browser.send(&app, "POST", "/shop/add").await.body, "2");
    assert_eq!(browser.send(&app, "POST", "/outside").await.body, "true");
}

#[actix_web::test]
async fn headers_of_the_application_stay() {
    async fn handler(session: Session) -> Result<impl Responder, Error> {
        session.set("a", &1)?;
        let mut response = HttpResponse::Created();
        response
            .append_header(("set-cookie", "theme=dark"))
            .append_header(("x-two", "1"))
            .append_header(("x-two", "2"));
        Ok(response.append_header(("vary", "accept")).body("made"))
    }
    let sessions = SessionMiddleware::from(config(Arc::new(MemoryStore::new())));
    let app = test::init_service(App::new().wrap(sessions).route("/", web::get().to(handler))).await;
    let response = test::call_service(&app, test::TestRequest::with_uri("/").to_request()).await;
    let all =
        |name: &str| response.headers().get_all(name).map(|v| v.to_str().expect("text").to_owned()).collect::<Vec<_>>();
    assert_eq!(response.status(), 201);
    assert_eq!(all("x-two"), ["1", "2"]);
    assert_eq!(all("vary"), ["accept", "Cookie"]);
    assert_eq!(all("cache-control"), ["no-store"]);
    assert_eq!(all("set-cookie").len(), 2);
    assert_eq!(all("set-cookie")[0], "theme=dark");
    assert_eq!(test::read_body(response).await, "made");
}
