//! Cookies that differ from request to request.

use http::{Request, Response, header};
use session_http::{CookiePolicy, Proxy, SecureConnection, SecurePolicy, Session, SessionSlot};

use crate::support::App;

fn request(is_https: bool, cookie: &str) -> Request<()> {
    let mut request = Request::builder().uri("/app").header(header::COOKIE, cookie).body(()).expect("it is valid");
    if is_https {
        request.extensions_mut().insert(SecureConnection);
    }
    request
}

async fn send(app: &App, request: &Request<()>, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
    let slot = SessionSlot::for_request(app.config.clone(), request);
    handler(&slot.open(request.headers()).await.expect("the store works")).await;
    let mut response = Response::new(());
    slot.commit().await.expect("the store works").apply_to(&mut response);
    let line = response.headers().get(header::SET_COOKIE)?;
    Some(line.to_str().expect("our cookies are text").to_owned())
}

fn pair(line: &str) -> String {
    line.split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn auto_says_secure_if_the_request_came_over_https() {
    let auto =
        CookiePolicy::builder().with_name("s").with_secure(SecurePolicy::Auto).build().expect("they go together");
    for (proxy, is_marked, forwarded, is_secure) in [
        (Proxy::Ignored, false, None, false),
        (Proxy::Ignored, true, None, true),
        (Proxy::Ignored, false, Some("https"), false),
        (Proxy::Trusted, false, Some("https"), true),
        (Proxy::Trusted, false, Some("HTTPS, http"), true),
        (Proxy::Trusted, false, Some("http, https"), false),
        (Proxy::Trusted, false, None, false),
        (Proxy::Trusted, true, Some("http"), true),
    ] {
        let app = App::with(|config| config.with_cookie(auto.clone()).with_proxy(proxy));
        let mut request = request(is_marked, "");
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-proto", forwarded.parse().expect("the test's header is valid"));
        }
        let line = send(&app, &request, async |session| session.set("n", &1).expect("it is JSON")).await;
        let line = line.expect("a session was created");
        assert_eq!(line.contains("; Secure"), is_secure, "{proxy:?} {is_marked} {forwarded:?}");
    }
}

#[tokio::test]
async fn each_request_may_have_a_cookie_of_its_own() {
    let app = App::with(|config| {
        config.with_path_gating().with_cookie_of(|request| {
            let builder = CookiePolicy::builder().with_name("s");
            let site = request.headers.get("x-site").and_then(|site| site.to_str().ok()).unwrap_or("none");
            let is_secure = request.extensions.get::<SecureConnection>().is_some();
            let secure = if is_secure { SecurePolicy::Always } else { SecurePolicy::Never };
            let builder = builder.with_path(format!("/{site}")).with_secure(secure);
            builder.build().unwrap_or_default()
        })
    });
    let at = |site: &str, is_https: bool, cookie: &str| {
        let mut request = request(is_https, cookie);
        *request.uri_mut() = format!("/{site}/page").parse().expect("the test's URL is valid");
        request.headers_mut().insert("x-site", site.parse().expect("the test's header is valid"));
        request
    };
    let set = send(&app, &at("one", true, ""), async |session| session.set("n", &1).expect("it is JSON")).await;
    let set = set.expect("a session was created");
    assert!(set.ends_with("; Path=/one; Secure; HttpOnly; SameSite=Lax"), "{set}");
    let request = at("two", false, &pair(&set));
    let removal = send(&app, &request, async |session| {
        assert!(!session.is_new());
        session.logout();
    });
    let removal = removal.await.expect("the session was ended");
    assert!(removal.starts_with("s=; Path=/two; HttpOnly; SameSite=Lax; Max-Age=0"), "{removal}");

    let mut elsewhere = at("one", true, "");
    *elsewhere.uri_mut() = "/two".parse().expect("the test's URL is valid");
    let slot = SessionSlot::for_request(app.config.clone(), &elsewhere);
    assert!(slot.is_outside_path(), "the path is that of the request's own cookie");
}
