//! An application of axum-login and axum-messages, both as they are published, on a store of this toolkit.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, login_required};
use axum_messages::{Messages, MessagesManagerLayer};
use http_body_util::BodyExt as _;
use session_core::{Page, Scope, SessionIndex as _};
use session_store_memory::MemoryStore;
use session_tower_sessions::{TowerSessionsStore, axum_login};
use tower::ServiceExt as _;
use tower_sessions_0_14::SessionManagerLayer;

#[derive(Debug, Clone)]
struct User {
    name: String,
    password: Vec<u8>,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.password
    }
}

#[derive(Debug, Clone)]
struct Users(Arc<std::sync::Mutex<HashMap<String, String>>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = HashMap<String, String>;
    type Error = std::convert::Infallible;

    async fn authenticate(&self, form: Self::Credentials) -> Result<Option<User>, Self::Error> {
        let user = self.get_user(&form["name"]).await?;
        Ok(user.filter(|user| user.password == form["password"].as_bytes()))
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Self::Error> {
        let users = self.0.lock().expect("nobody panics");
        Ok(users.get(name).map(|password| User { name: name.clone(), password: password.clone().into_bytes() }))
    }
}

async fn log_in(
    mut auth: AuthSession<Users>,
    messages: Messages,
    Form(form): Form<HashMap<String, String>>,
) -> Response<Body> {
    match auth.authenticate(form).await {
        Ok(Some(user)) if auth.login(&user).await.is_ok() => {
            messages.success(format!("hello, {}", user.name));
            StatusCode::OK.into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn log_out(mut auth: AuthSession<Users>) -> StatusCode {
    auth.logout().await.map_or(StatusCode::INTERNAL_SERVER_ERROR, |_| StatusCode::OK)
}

struct Application {
    router: Router,
    store: Arc<MemoryStore>,
    users: Users,
}

fn application() -> Application {
    let store = Arc::new(MemoryStore::new());
    let users = HashMap::from([("ada".to_owned(), "lovelace".to_owned()), ("bob".to_owned(), "builder".to_owned())]);
    let users = Users(Arc::new(users.into()));
    let sessions = TowerSessionsStore::new(store.clone()).with_owner(axum_login);
    let auth = AuthManagerLayerBuilder::new(users.clone(), SessionManagerLayer::new(sessions)).build();
    let router = Router::new()
        .route(
            "/protected",
            get(|auth: AuthSession<Users>| async move { auth.user.map(|user| user.name).unwrap_or_default() }),
        )
        .route_layer(login_required!(Users))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route(
            "/messages",
            get(|messages: Messages| async move { messages.into_iter().map(|m| m.to_string()).collect::<String>() }),
        )
        .layer(MessagesManagerLayer)
        .layer(auth);
    Application { router, store, users }
}

/// A browser with one cookie.
#[derive(Default, Clone)]
struct Browser(Option<String>);

impl Browser {
    async fn send(&mut self, router: &Router, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, self.0.as_deref().unwrap_or_default())
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("the router does not fail");
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            let pair = cookie.split(';').next().unwrap_or_default();
            self.0 = (!cookie.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn log_in(router: &Router, name: &str, password: &str) -> Self {
        let mut browser = Self::default();
        let form = format!("name={name}&password={password}");
        assert_eq!(browser.send(router, "POST", "/login", &form).await.0, StatusCode::OK);
        browser
    }

    async fn is_let_in(&mut self, router: &Router) -> bool {
        self.send(router, "GET", "/protected", "").await.0 == StatusCode::OK
    }
}

#[tokio::test]
async fn login_messages_and_logout_work_as_they_are() {
    let Application { router, store, .. } = application();
    let mut browser = Browser::default();
    assert!(!browser.is_let_in(&router).await);
    assert_eq!(browser.send(&router, "POST", "/login", "name=ada&password=wrong").await.0, StatusCode::UNAUTHORIZED);
    let mut browser = Browser::log_in(&router, "ada", "lovelace").await;
    let said = (StatusCode::OK, "ada".to_owned());
    assert_eq!(browser.send(&router, "GET", "/protected", "").await, said);
    assert_eq!(browser.send(&router, "GET", "/messages", "").await.1, "hello, ada");
    assert_eq!(browser.send(&router, "GET", "/messages", "").await.1, "");
    let stolen = browser.clone();
    assert_eq!(browser.send(&router, "POST", "/logout", "").await.0, StatusCode::OK);
    assert_eq!(browser.0, None);
    assert!(!stolen.clone().is_let_in(&router).await, "a logout leaves the session alive");
    assert_eq!(store.count(Scope::All).await.expect("memory does not fail"), 0);
}

#[tokio::test]
async fn a_users_sessions_are_listed_and_ended_from_outside() {
    let Application { router, store, .. } = application();
    let mut phone = Browser::log_in(&router, "ada", "lovelace").await;
    let mut laptop = Browser::log_in(&router, "ada", "lovelace").await;
    let mut bob = Browser::log_in(&router, "bob", "builder").await;
    let ada = "ada".parse().expect("an owner");
    let listing = store.list(Scope::Owner(&ada), &Page::first(10)).await.expect("memory does not fail");
    assert_eq!(listing.sessions.len(), 2);
    // What the browser presents is nowhere in the store.
    let id = phone.0.as_deref().and_then(|cookie| cookie.split_once('=')).expect("a cookie").1;
    assert!(listing.sessions.iter().all(|session| !session.key.as_str().contains(id)));

    // All of hers but the phone's end.
    let adapter = TowerSessionsStore::new(store.clone());
    let kept = adapter.key_of(id).expect("an id");
    assert_eq!(store.delete_owned(&ada, Some(&kept)).await.expect("memory does not fail"), 1);
    assert!(phone.is_let_in(&router).await);
    assert!(!laptop.is_let_in(&router).await);
    assert!(bob.is_let_in(&router).await);
}

#[tokio::test]
async fn a_changed_password_ends_what_was_logged_in_with_the_old_one() {
    let Application { router, store, users } = application();
    let mut browser = Browser::log_in(&router, "ada", "lovelace").await;
    users.0.lock().expect("nobody panics").insert("ada".into(), "byron".into());
    assert!(!browser.is_let_in(&router).await);
    assert_eq!(store.count(Scope::All).await.expect("memory does not fail"), 0);
}
