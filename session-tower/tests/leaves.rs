//! What nobody waits for any more: once the handler has answered, the commit runs to its end though its client leaves, or
//! was told that it took too long.

mod distant;

use std::sync::Arc;
use std::time::Duration;

use distant::Distant;
use http::{Request, Response, header};
use session_core::{OwnerId, Scope, SessionIndex};
use session_tower::{Secrets, Session, SessionLayer};
use tower::{BoxError, Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn site() -> (Arc<Distant>, SessionLayer) {
    let store = Arc::new(Distant::default());
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    (store.clone(), SessionLayer::new(store, secrets))
}

async fn application(request: Request<()>) -> Result<Response<String>, BoxError> {
    let session = Session::of(&request).await?;
    match request.uri().path() {
        "/cart" => session.modify("cart", |items: &mut u32| *items += 1)?,
        "/login" => session.login("ada")?,
        "/logout" => session.logout(),
        _ => {}
    }
    let user = session.owner().map_or_else(|| "nobody".to_owned(), |user| user.to_string());
    Ok(Response::new(format!("{user} {}", session.get::<u32>("cart")?.unwrap_or_default())))
}

/// Sends a request and waits this long for its answer; `None` if the client has left by then.
async fn send(layer: &SessionLayer, path: &str, cookie: &str, patience: Duration) -> Option<Response<String>> {
    let request = Request::builder().method("POST").uri(path).header(header::COOKIE, cookie).body(());
    let answer = layer.layer(service_fn(application)).oneshot(request.expect("the test's request is valid"));
    let response = tokio::time::timeout(patience, answer).await.ok()?.expect("it answers");
    Some(response.map(|body| body.into_inner().unwrap_or_else(|refusal| refusal)))
}

/// Sends a request whose answer the client waits for; returns the body, and the cookie that the browser has then.
async fn ask(layer: &SessionLayer, path: &str, cookie: &str) -> (String, String) {
    let response = send(layer, path, cookie, 60 * SECOND).await.expect("the answer came");
    let line = response.headers().get(header::SET_COOKIE).map(|line| line.to_str().expect("our cookies are text"));
    let cookie = line.and_then(|line| line.split(';').next()).unwrap_or(cookie).to_owned();
    (response.into_body(), cookie)
}

/// Sends a request whose client leaves while the store's write takes this long there and back, and waits until it is over.
async fn leave(site: &(Arc<Distant>, SessionLayer), path: &str, cookie: &str, there: Duration, back: Duration) {
    let (store, layer) = site;
    store.set_way(there, back);
    assert!(send(layer, path, cookie, SECOND).await.is_none(), "the client has left");
    tokio::time::sleep(20 * SECOND).await;
    store.set_way(Duration::ZERO, Duration::ZERO);
}

/// The write is on its way, or its answer is, when the client leaves.
const WAYS: [(Duration, Duration); 2] =
    [(Duration::from_secs(2), Duration::ZERO), (Duration::ZERO, Duration::from_secs(2))];

#[tokio::test(start_paused = true)]
async fn a_logout_is_done_though_its_client_left() {
    for (there, back) in WAYS {
        let site = site();
        let (_, cookie) = ask(&site.1, "/login", "").await;
        leave(&site, "/logout", &cookie, there, back).await;
        assert_eq!(ask(&site.1, "/", &cookie).await.0, "nobody 0", "{there:?} {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_stored_though_its_client_left() {
    for (there, back) in WAYS {
        let site = site();
        let (_, cookie) = ask(&site.1, "/cart", "").await;
        leave(&site, "/cart", &cookie, there, back).await;
        assert_eq!(ask(&site.1, "/", &cookie).await.0, "nobody 2", "{there:?} {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_whose_client_left_keeps_the_cart_when_it_comes_again() {
    for (there, back) in WAYS {
        let site = site();
        let (_, cookie) = ask(&site.1, "/cart", "").await;
        leave(&site, "/login", &cookie, there, back).await;
        let (_, cookie) = ask(&site.1, "/login", &cookie).await;
        assert_eq!(ask(&site.1, "/", &cookie).await.0, "ada 1", "{there:?} {back:?}");
        assert_eq!(site.0.count(Scope::All).await.expect("it counts"), 1, "{there:?} {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_done_though_its_client_left() {
    for (there, back) in WAYS {
        let site = site();
        let (_, cookie) = ask(&site.1, "/cart", "").await;
        leave(&site, "/login", &cookie, there, back).await;
        let ada = OwnerId::parse("ada").expect("a short name is an owner");
        assert_eq!(site.0.count(Scope::Owner(&ada)).await.expect("it counts"), 1, "{there:?} {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_did_not_finish_is_not_stored_when_its_client_leaves() {
    let (store, layer) = site();
    let service = layer.layer(service_fn(async |request: Request<()>| {
        Session::of(&request).await?.set("cart", &1)?;
        tokio::time::sleep(5 * SECOND).await;
        Ok::<_, BoxError>(Response::new(()))
    }));
    let request = Request::new(());
    assert!(tokio::time::timeout(SECOND, service.oneshot(request)).await.is_err());
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(store.count(Scope::All).await.expect("it counts"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_took_too_long_is_done_though_its_client_was_told_to_try_again() {
    for (there, back) in WAYS {
        let (store, layer) = site();
        let (_, cookie) = ask(&layer, "/login", "").await;
        store.set_way(8 * there, 8 * back);
        let answer = send(&layer, "/logout", &cookie, 60 * SECOND).await.expect("the answer came");
        assert_eq!(answer.status(), 503, "{there:?} {back:?}");
        tokio::time::sleep(20 * SECOND).await;
        store.set_way(Duration::ZERO, Duration::ZERO);
        assert_eq!(store.count(Scope::All).await.expect("it counts"), 0, "{there:?} {back:?}");
    }
}
