//! The same layer outside and on a sub-router: one session, which the outer layer commits.

use std::sync::Arc;

use http::{Request, Response, header};
use session_core::{Scope, SessionIndex};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Secrets, Session, SessionBody, SessionLayer};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

fn layer(store: &Arc<MemoryStore>) -> SessionLayer {
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    SessionLayer::new(store.clone(), secrets)
}

fn request(path: &str, cookie: &str) -> Request<()> {
    let request = Request::builder().method("POST").uri(path).header(header::COOKIE, cookie);
    request.body(()).expect("the test's request is valid")
}

async fn application(request: Request<()>) -> Result<Response<String>, BoxError> {
    let session = Session::of(&request).await?;
    match request.uri().path() {
        "/cart" => session.set("cart", "tea")?,
        "/login" => session.login("ada")?,
        "/logout" => session.logout(),
        _ => {}
    }
    let user = session.owner().map_or_else(|| "nobody".to_owned(), |user| user.to_string());
    Ok(Response::new(format!("{user} {:?}", session.keys())))
}

/// Sends a request through the outer layer, a middleware that writes to its session, and the inner layer.
async fn send(outer: &SessionLayer, inner: &SessionLayer, path: &str, cookie: &str) -> Response<String> {
    let inner = inner.layer(service_fn(application));
    let between = service_fn(move |request: Request<()>| {
        let mut inner = inner.clone();
        async move {
            Session::of(&request).await?.set("seen", &1)?;
            inner.call(request).await
        }
    });
    let response = outer.layer(between).oneshot(request(path, cookie)).await.expect("it answers");
    response.map(|body| body.into_inner().and_then(SessionBody::into_inner).unwrap_or_else(|refusal| refusal))
}

/// Sends a request through one layer alone.
async fn direct(layer: &SessionLayer, path: &str, cookie: &str) -> Response<String> {
    let response = layer.layer(service_fn(application)).oneshot(request(path, cookie)).await.expect("it answers");
    response.map(|body| body.into_inner().unwrap_or_else(|refusal| refusal))
}

/// Returns the session's cookies that the response sets, as a browser sends them back.
fn cookies(response: &Response<String>) -> Vec<String> {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    let lines = lines.map(|line| line.to_str().expect("our cookies are text"));
    lines.map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect()
}

/// Does a request of a browser that has this cookie, and keeps the one that it is told.
async fn visit(layer: &SessionLayer, path: &str, cookie: &mut String) -> Response<String> {
    let response = send(layer, layer, path, cookie).await;
    if let [told] = cookies(&response).as_slice() {
        cookie.clone_from(told);
    }
    response
}

/// What one layer alone shows to the browser.
async fn sees(layer: &SessionLayer, cookie: &str) -> String {
    direct(layer, "/", cookie).await.into_body()
}

#[tokio::test]
async fn a_visitor_who_logs_in_below_a_middleware_that_writes_is_logged_in() {
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&store);
    let mut cookie = String::new();
    assert_eq!(visit(&layer, "/login", &mut cookie).await.status(), 200);
    assert_eq!(sees(&layer, &cookie).await, r#"ada ["seen"]"#);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_login_below_a_middleware_that_writes_keeps_what_both_wrote() {
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&store);
    let response = direct(&layer, "/cart", "").await;
    let mut cookie = cookies(&response).pop().expect("a session was created");
    assert_eq!(visit(&layer, "/login", &mut cookie).await.status(), 200);
    assert_eq!(sees(&layer, &cookie).await, r#"ada ["cart", "seen"]"#);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn the_handler_sees_what_the_middleware_set() {
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&store);
    assert_eq!(visit(&layer, "/", &mut String::new()).await.body(), r#"nobody ["seen"]"#);
}

#[tokio::test]
async fn one_response_tells_one_cookie_of_the_name() {
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&store);
    assert_eq!(cookies(&visit(&layer, "/cart", &mut String::new()).await).len(), 1);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
}

#[tokio::test]
async fn a_logout_below_a_middleware_that_writes_ends_the_session() {
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&store);
    let mut cookie = String::new();
    let login = direct(&layer, "/login", "").await;
    cookie.clone_from(cookies(&login).first().expect("a session was created"));
    let before = cookie.clone();
    assert_eq!(visit(&layer, "/logout", &mut cookie).await.status(), 200);
    assert_eq!(
        (sees(&layer, &before).await.as_str(), sees(&layer, &cookie).await.as_str()),
        ("nobody []", "nobody []")
    );
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 0);
}

#[tokio::test]
async fn layers_of_two_configurations_keep_a_session_each() {
    let store = Arc::new(MemoryStore::new());
    let outer = layer(&store);
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("the flags go together");
    let response = send(&outer, &layer(&store).with_cookie(admin), "/login", "").await;
    let mut names: Vec<_> =
        cookies(&response).iter().filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())).collect();
    names.sort();
    assert_eq!((response.body().as_str(), names), ("ada []", vec!["__Host-admin".into(), "__Host-session".into()]));
}

/// A login in the shop's session would be the admin's.
#[tokio::test]
async fn a_layer_made_from_a_clone_with_another_cookie_and_namespace_is_another() {
    let store = Arc::new(MemoryStore::new());
    let shop = layer(&store);
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("the flags go together");
    let admin = shop.clone().with_cookie(admin).with_namespace("admin");
    let service = shop.layer(admin.layer(service_fn(application)));
    let response = service.oneshot(request("/login", "")).await.expect("it answers");
    let told = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    assert!(told.starts_with("__Host-admin="), "{:?}", told.split_once('=').map(|(name, _)| name));
}

/// The inner one of the same configuration leaves the request to the outer one, whatever is between them.
#[tokio::test]
async fn the_same_layer_around_another_one_within_itself_has_one_session() {
    let (store, other) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let outer = layer(&store);
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("the flags go together");
    let between = layer(&other).with_cookie(admin);
    let inner = between.layer(outer.layer(service_fn(application)));
    let middleware = service_fn(move |request: Request<()>| {
        let inner = inner.clone();
        async move {
            Session::of(&request).await?.set("seen", &true)?;
            inner.oneshot(request).await
        }
    });
    let response = outer.layer(middleware).oneshot(request("/login", "")).await.expect("it answers");
    let told = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    let cookie = told.split(';').next().expect("it has a value");
    assert_eq!(sees(&outer, cookie).await, r#"ada ["seen"]"#);
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 1);
    assert_eq!(other.count(Scope::All).await.expect("it counts"), 0);
}
