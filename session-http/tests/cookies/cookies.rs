//! The cookie: what is refused before any I/O (S4, S5, S9), and what a response carries (S6, S7, S8, S10).

use std::time::Duration;

use http::{HeaderMap, header};
use session_core::Expiry;
use session_http::{CookiePolicy, CookiePolicyBuilder, InvalidCookie, SameSite, Secrets};

use crate::support::{App, Browser, HOUR, MINUTE, SECRET, set_cookie};

const NO_CALLS: [&str; 0] = [];

#[tokio::test]
async fn s6_the_default_cookie_and_s8_its_removal() {
    let app = App::new();
    let mut browser = Browser::default();
    let response = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    let (value, attributes) = set_cookie(&response).expect("the session was created");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!((value.len(), value.find('.')), (32 + 1 + 43, Some(32)));
    let response = app.request(&mut browser, async |session| session.logout()).await;
    let removal = "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(set_cookie(&response), Some((String::new(), removal.into())));
}

#[tokio::test]
async fn s4_and_s5_what_was_not_signed_here_costs_no_call_of_the_store() {
    let app = App::new();
    let cookie = app.browser().await.cookie.expect("it has a session");
    app.store.calls();
    let (id, signature) = cookie.split_once('.').expect("an id and its signature");
    let other_id = if id.starts_with('A') { id.replacen('A', "B", 1) } else { format!("A{}", &id[1..]) };
    for forged in [
        id.to_owned(),
        format!("{id}."),
        format!("{other_id}.{signature}"),
        format!("{id}.{}", signature.to_uppercase()),
        format!("{cookie}="),
        format!(" {cookie}."),
        format!("s:{cookie}"),
        String::new(),
        "é".repeat(38),
        "x".repeat(100_000),
    ] {
        let visit = app.visit_with(&[format!("__Host-session={forged}")]);
        assert!(visit.open().await.is_new(), "{forged}");
        assert!(set_cookie(&visit.finish().await).is_none());
    }
    let secrets = Secrets::new(["another secret of the tests, just as long"]).expect("it is long enough");
    let stranger = App::with(|_| session_http::SessionConfig::new(app.store.clone(), secrets));
    assert!(stranger.visit(&Browser { cookie: Some(cookie) }).open().await.is_new());
    assert_eq!(app.store.calls(), NO_CALLS);
}

#[tokio::test]
async fn s5_a_secret_is_replaced_without_a_logout() {
    let app = App::new();
    let mut browser = app.browser().await;
    const NEW: &str = "the next secret of the tests, just as long";
    let secrets = |list: &[&str]| Secrets::new(list).expect("they are long enough");
    let config = |secrets| session_http::SessionConfig::new(app.store.clone(), secrets).with_clock(app.clock.clone());
    let both = App::with(|_| config(secrets(&[NEW, SECRET])));
    let only_new = App::with(|_| config(secrets(&[NEW])));
    assert!(!both.visit(&browser).open().await.is_new());
    assert!(only_new.visit(&browser).open().await.is_new());
    both.request(&mut browser, async |session| session.rotate()).await;
    assert!(!only_new.visit(&browser).open().await.is_new());
}

#[tokio::test]
async fn s9_of_several_cookies_of_the_name_the_live_one_counts_and_none_if_two_are() {
    let app = App::new();
    let pair = |browser: &Browser| format!("__Host-session={}", browser.cookie.as_deref().unwrap_or_default());
    let (one, other) = (pair(&app.browser().await), pair(&app.browser().await));
    for (cookies, is_one) in [
        (vec![format!("{one}; {one}")], true),
        (vec![one.clone(), one.clone()], true),
        (vec![format!("{one}; __Host-session=forged")], true),
        (vec!["__Host-session=".into(), one.clone()], true),
        (vec![format!("a=1; {one}; __host-session=x"), "b=2".into()], true),
        (vec![format!("{one}; {other}")], false),
        (vec![other, one], false),
    ] {
        let visit = app.visit_with(&cookies);
        assert_eq!(!visit.open().await.is_new(), is_one, "{cookies:?}");
        assert!(set_cookie(&visit.finish().await).is_none());
    }
    app.store.calls();
    app.visit_with(&["__Host-session=forged; __Host-session=".to_owned()]).open().await;
    assert_eq!(app.store.calls(), NO_CALLS);
}

#[tokio::test]
async fn s8_and_s10_the_headers_of_a_response_beside_those_of_the_handler() {
    let app = App::new();
    let mut of_handler = HeaderMap::new();
    for (name, value) in [
        (header::SET_COOKIE, "theme=dark; Path=/"),
        (header::SET_COOKIE, "__Host-session=from-the-handler; Path=/"),
        (header::SET_COOKIE, "__Host-session2=x"),
        (header::VARY, "accept-encoding"),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ] {
        of_handler.append(name, value.parse().expect("the test's header is valid"));
    }
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    let response = visit.finish_with(of_handler.clone()).await;
    let cookies: Vec<_> =
        response.headers().get_all(header::SET_COOKIE).iter().filter_map(|c| c.to_str().ok()).collect();
    assert_eq!(cookies[..2], ["theme=dark; Path=/", "__Host-session2=x"]);
    assert!(cookies.len() == 3 && cookies[2].starts_with("__Host-session="));
    assert!(!format!("{:?}", response.headers()).contains(&cookies[2][15..47]), "Debug does not show it");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let vary: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
    assert_eq!(vary, ["accept-encoding", "Cookie"]);

    let mut browser = Browser::default();
    browser.learn(&response);
    for (vary, expected) in [("Accept, COOKIE", 1), ("*", 1), ("Cookies", 2)] {
        let visit = app.visit(&browser);
        visit.open().await;
        of_handler.insert(header::VARY, vary.parse().expect("the test's header is valid"));
        let response = visit.finish_with(of_handler.clone()).await;
        assert_eq!(response.headers().get_all(header::VARY).iter().count(), expected, "{vary}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=60");
        assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 3);
    }
    assert_eq!(app.visit(&browser).finish().await.headers().len(), 0, "an unopened session adds no header");
}

#[tokio::test]
async fn s7_a_kept_cookie_never_outlives_its_session_and_is_refreshed_with_it() {
    let policy = |age| CookiePolicy::builder().with_max_age(age).build().expect("the age is allowed");
    let max_age =
        |response| set_cookie(&response).and_then(|(_, flags)| Some(flags.split_once("Max-Age=")?.1.to_owned()));
    let app = App::with(|config| config.with_cookie(policy(30 * MINUTE)));
    let mut browser = Browser::default();
    let created = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_eq!(max_age(created).as_deref(), Some("1800"));
    assert_eq!(max_age(app.request(&mut browser, async |_| ()).await), None, "nothing was extended");

    let app = App::with(|config| {
        let expiry = Expiry::idle_and_absolute(HOUR, 90 * MINUTE).expect("not zero");
        config.with_cookie(policy(CookiePolicy::LONGEST_MAX_AGE)).with_expiry(expiry)
    });
    let mut browser = Browser::default();
    let created = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_eq!(max_age(created).as_deref(), Some("3600"));
    let before = browser.clone();
    app.clock.advance(10 * MINUTE);
    assert_eq!(max_age(app.request(&mut browser, async |_| ()).await).as_deref(), Some("3600"));
    app.clock.advance(50 * MINUTE);
    let write = app.request(&mut browser, async |session| session.set("n", &2).expect("a number is JSON")).await;
    assert_eq!(max_age(write).as_deref(), Some("1800"), "the deadline caps it");
    assert_eq!(browser, before, "a refresh keeps the id");
    let login =
        app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!(max_age(login).as_deref(), Some("3600"), "a login begins a new life");
}

#[test]
fn every_combination_that_browsers_would_reject_is_refused_and_every_other_builds() {
    let names = ["__Host-s", "__HOST-s", "__Secure-s", "__secure-s", "s", "session.id"];
    let domains = [None, Some("example.org")];
    let paths = ["/", "/app"];
    let sites = [SameSite::Lax, SameSite::Strict, SameSite::None];
    let secure = CookiePolicy::builder;
    let insecure = || CookiePolicy::insecure_for_development().to_builder();
    let doors: [(fn() -> CookiePolicyBuilder, bool); 2] = [(secure, true), (insecure, false)];
    for (door, is_secure) in doors {
        for (name, domain, path, site, partitioned) in names.iter().flat_map(|name| {
            let rest = domains.iter().flat_map(|domain| paths.iter().map(move |path| (domain, path)));
            let rest = rest.flat_map(|(domain, path)| sites.iter().map(move |site| (domain, path, site)));
            rest.flat_map(|(d, p, s)| [true, false].map(|partitioned| (name, d, p, s, partitioned))).collect::<Vec<_>>()
        }) {
            let mut builder = door().with_name(*name).with_path(*path).with_same_site(*site);
            if let Some(domain) = domain {
                builder = builder.with_domain(*domain);
            }
            if partitioned {
                builder = builder.with_partitioning();
            }
            let prefix = name.to_lowercase();
            let host_is_wrong = prefix.starts_with("__host-") && (!is_secure || domain.is_some() || *path != "/");
            let secure_is_missing = prefix.starts_with("__secure-") || *site == SameSite::None || partitioned;
            let is_wrong = host_is_wrong || (secure_is_missing && !is_secure);
            assert_eq!(builder.clone().build().is_err(), is_wrong, "{builder:?}");
        }
    }
}

#[test]
fn what_would_break_the_header_is_refused() {
    let refusal = |builder: CookiePolicyBuilder| builder.build().err();
    let plain = || CookiePolicy::builder().with_name("s");
    for name in ["", "a b", "a;b", "a=b", "a\n", "é", "a\"", "a,b", "(a)", &"a".repeat(1025)] {
        assert_eq!(refusal(plain().with_name(name)), Some(InvalidCookie::Name), "{name}");
    }
    for domain in ["", ".example.org", "a..b", "a b", "a;b", "-a.org", "a-.org", "é.org", "a.org.", &"a".repeat(64)] {
        assert_eq!(refusal(plain().with_domain(domain)), Some(InvalidCookie::Domain), "{domain}");
    }
    for path in ["", "app", "/a;b", "/a b", "/\n", "/é", &"/a".repeat(513)] {
        assert_eq!(refusal(plain().with_path(path)), Some(InvalidCookie::Path), "{path}");
    }
    let long = CookiePolicy::LONGEST_MAX_AGE + Duration::from_nanos(1);
    for age in [Duration::ZERO, Duration::from_millis(999), long] {
        assert_eq!(refusal(plain().with_max_age(age)), Some(InvalidCookie::MaxAge), "{age:?}");
    }
    assert_eq!(refusal(plain().with_domain("shop.example.org").with_path("/app/").with_max_age(HOUR)), None);
    assert_eq!(refusal(CookiePolicy::default().to_builder()), None);
    assert_eq!(refusal(CookiePolicy::insecure_for_development().to_builder()), None);
}
