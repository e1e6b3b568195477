//! A browser that presents several cookies of the name: because path, domain or partitioning changed, or because
//! somebody else set one. The one that is live counts, and the user gets in and out (S9).

use http::{HeaderMap, Request, header};
use session_http::{CookiePolicy, CookiePolicyBuilder, Session};

use crate::jar::{Jar, Place};
use crate::support::servers::log_in;
use crate::support::{App, Browser};

/// What a browser has of one site, at one address.
struct Web {
    jar: Jar,
    at: Place,
}

impl Web {
    fn new() -> Self {
        let at = Place { is_https: true, host: "shop.example.org".into(), path: "/app/page".into() };
        Self { jar: Jar::default(), at }
    }

    fn header(&self, app: &App) -> Option<String> {
        self.jar.header(&self.at, now(app))
    }

    /// Does one request, whose handler may set headers; returns the status.
    async fn request_with(&mut self, app: &App, headers: HeaderMap, act: impl FnOnce(&Session)) -> u16 {
        let cookie = self.header(app).unwrap_or_default();
        let request = Request::builder().method("POST").uri(&self.at.path).header(header::COOKIE, cookie).body(());
        let visit = app.visit_of(&request.expect("the test's request is valid"));
        act(&visit.open().await);
        let response = visit.finish_with(headers).await;
        for line in response.headers().get_all(header::SET_COOKIE) {
            self.jar.take(line.as_bytes(), &self.at, now(app)).expect("a browser takes our cookies");
        }
        response.status().as_u16()
    }

    async fn request(&mut self, app: &App, act: impl FnOnce(&Session)) -> u16 {
        self.request_with(app, HeaderMap::new(), act).await
    }

    /// Returns the user's name and what is in the cart.
    async fn sees(&mut self, app: &App) -> (Option<String>, Option<String>) {
        let mut seen = (None, None);
        self.request(app, |session| {
            seen = (session.owner().map(|user| user.to_string()), session.get("cart").expect("it is text"));
        })
        .await;
        seen
    }
}

fn now(app: &App) -> u64 {
    u64::try_from(app.now().unix_millis() / 1000).expect("it is after 1970")
}

fn built(builder: CookiePolicyBuilder) -> CookiePolicy {
    builder.build().expect("the flags go together")
}

/// What the cookie was, and what it is from now on.
fn changes() -> [(&'static str, CookiePolicy, CookiePolicy); 4] {
    let plain = || CookiePolicy::builder().with_name("session");
    let host = CookiePolicy::default;
    [
        ("path", built(plain().with_path("/app")), built(plain())),
        ("domain", built(plain()), built(plain().with_domain("example.org"))),
        ("partitioning", built(plain()), built(plain().with_partitioning())),
        ("partitioning of __Host-", host(), built(host().to_builder().with_partitioning())),
    ]
}

/// A browser with a cart from before the change, on the server after it.
async fn changed(old: CookiePolicy, new: CookiePolicy) -> (App, Web) {
    let before = App::with(|config| config.with_cookie(old));
    let mut web = Web::new();
    web.request(&before, |session| session.set("cart", "tea").expect("text is JSON")).await;
    let app = before.neighbour(|config| config.with_cookie(new));
    assert_eq!(web.sees(&app).await.1.as_deref(), Some("tea"));
    (app, web)
}

#[tokio::test]
async fn a_user_gets_in_after_the_cookie_has_changed_and_keeps_the_cart() {
    for (what, old, new) in changes() {
        let (app, mut web) = changed(old, new).await;
        assert_eq!(web.request(&app, |session| log_in(session, "ada")).await, 200, "{what}");
        assert_eq!(web.sees(&app).await, (Some("ada".into()), Some("tea".into())), "{what}");
    }
}

#[tokio::test]
async fn a_user_gets_out_after_the_cookie_has_changed() {
    for (what, old, new) in changes() {
        let (app, mut web) = changed(old, new).await;
        web.request(&app, |session| log_in(session, "ada")).await;
        assert_eq!(web.request(&app, Session::logout).await, 200, "{what}");
        assert_eq!((app.live().await, web.sees(&app).await), (0, (None, None)), "{what}");
    }
}

#[tokio::test]
async fn logins_after_the_cookie_has_changed_leave_one_session() {
    for (what, old, new) in changes() {
        let (app, mut web) = changed(old, new).await;
        for _ in 0..5 {
            web.request(&app, |session| log_in(session, "ada")).await;
        }
        assert_eq!(app.live().await, 1, "{what}");
    }
}

#[tokio::test]
async fn a_retired_cookie_is_removed_whenever_the_browser_is_told_something() {
    for (what, old, new) in changes() {
        let (app, mut web) = changed(old.clone(), new.clone()).await;
        let app = app.neighbour(|config| config.with_cookie(new).with_retired_cookie(old));
        web.request(&app, |session| log_in(session, "ada")).await;
        assert_eq!(web.jar.0.len(), 1, "{what}: after the login");
        web.request(&app, Session::logout).await;
        assert_eq!(web.jar.0.len(), 0, "{what}: after the logout");
    }
}

#[tokio::test]
async fn an_applications_own_removal_of_an_old_scope_survives_a_login() {
    let (_, old, new) = changes().into_iter().next().expect("there are four");
    let (app, mut web) = changed(old, new).await;
    let mut headers = HeaderMap::new();
    let removal = "session=; Path=/app; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    headers.insert(header::SET_COOKIE, removal.parse().expect("the test's header is valid"));
    web.request_with(&app, headers, |session| log_in(session, "ada")).await;
    assert_eq!(web.jar.0.iter().map(|kept| kept.path.as_str()).collect::<Vec<_>>(), ["/"]);
}

#[tokio::test]
async fn a_handlers_line_of_the_same_name_domain_and_path_does_not_stay() {
    let app = App::new();
    let mut headers = HeaderMap::new();
    let planted = "__Host-session=from-the-handler; Path=/; Secure";
    headers.insert(header::SET_COOKIE, planted.parse().expect("the test's header is valid"));
    let visit = app.visit(&Browser::default());
    log_in(&visit.open().await, "ada");
    let response = visit.finish_with(headers).await;
    assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 1);
}

/// What stands beside the good one: nobody signed it, or it was signed and its session has ended.
async fn company(app: &App) -> Vec<(&'static str, String)> {
    let mut dead = app.browser().await;
    let ended = dead.cookie.clone().expect("it has a session");
    app.request(&mut dead, async |session| session.logout()).await;
    let forged = format!("{}x", &ended[..ended.len() - 1]);
    let junk = ["", "junk", "s%3Ajunk.junk", "a=b"].map(|value| ("unsigned", value.to_owned()));
    junk.into_iter().chain([("forged", forged), ("ended", ended)]).collect()
}

fn pair(value: &str) -> String {
    format!("__Host-session={value}")
}

#[tokio::test]
async fn what_is_not_live_is_no_competitor_wherever_it_stands() {
    let app = App::new();
    let good = app.shopper().await.cookie.expect("it has a session");
    for (what, value) in company(&app).await {
        for cookies in [vec![pair(&value), pair(&good)], vec![format!("{}; {}", pair(&good), pair(&value))]] {
            let session = app.visit_with(&cookies).open().await;
            assert_eq!(session.get("cart").expect("it is text"), Some("tea".to_owned()), "{what}: {value}");
        }
    }
}

#[tokio::test]
async fn a_logout_beside_what_is_not_live_ends_the_session() {
    let app = App::new();
    for (what, value) in company(&app).await {
        let good = app.shopper().await.cookie.expect("it has a session");
        let visit = app.visit_with(&[pair(&value), pair(&good)]);
        visit.open().await.logout();
        assert_eq!((visit.finish().await.status().as_u16(), app.live().await), (200, 0), "{what}: {value}");
    }
}

#[tokio::test]
async fn a_login_beside_what_is_not_live_keeps_the_cart() {
    let app = App::new();
    for (what, value) in company(&app).await {
        let good = app.shopper().await.cookie.expect("it has a session");
        let visit = app.visit_with(&[pair(&value), pair(&good)]);
        log_in(&visit.open().await, "ada");
        let mut browser = Browser::default();
        browser.learn(&visit.finish().await);
        assert_eq!(app.value(&browser, "cart").await, Some("tea".into()), "{what}: {value}");
        app.request(&mut browser, async |session| session.logout()).await;
    }
}

#[tokio::test]
async fn a_logout_ends_every_signed_session_that_was_presented() {
    let app = App::new();
    let (mut one, mut two) = (Browser::default(), Browser::default());
    app.login(&mut one, "ada").await;
    app.login(&mut two, "bob").await;
    let values = [one, two].map(|browser| pair(&browser.cookie.expect("it has a session")));
    let visit = app.visit_with(&values);
    visit.open().await.logout();
    assert_eq!((visit.finish().await.status().as_u16(), app.live().await), (200, 0));
}

#[tokio::test]
async fn two_that_are_live_are_none() {
    let app = App::new();
    let values = [app.shopper().await, app.shopper().await].map(|browser| pair(&browser.cookie.expect("it has one")));
    assert!(app.visit_with(&values).open().await.is_new());
}

#[tokio::test]
async fn the_work_for_many_signed_ones_is_bounded() {
    let app = App::new();
    let mut values = Vec::new();
    for _ in 0..100 {
        let mut browser = app.browser().await;
        values.push(pair(browser.cookie.as_deref().expect("it has a session")));
        app.request(&mut browser, async |session| session.logout()).await;
    }
    app.store.calls();
    app.visit_with(&values).open().await;
    let calls = app.store.calls().len();
    assert!(calls <= 10, "{calls} calls");
}
