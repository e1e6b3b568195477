//! Options that express-session has too: secrets that are replaced, priority, paths, and ids of the application's own.

use http::Request;
use session_core::{Expiry, SessionId};
use session_http::{CookiePolicy, Error, Priority, Secrets, SessionConfig, SessionSlot};

use crate::support::{App, Browser, HOUR, MINUTE, SECRET, set_cookie};

const NEW: &str = "the next secret of the tests, just as long";

/// The same application after its secret was replaced.
fn with_new_secret(app: &App) -> App {
    App::with(|_| {
        let secrets = Secrets::new([NEW, SECRET]).expect("they are long enough");
        let expiry = Expiry::idle_and_absolute(HOUR, 24 * HOUR).expect("not zero");
        SessionConfig::new(app.store.clone(), secrets).with_clock(app.clock.clone()).with_expiry(expiry)
    })
}

#[tokio::test]
async fn a_cookie_of_an_old_secret_is_signed_anew_when_its_session_is_written_or_extended() {
    let app = App::new();
    for is_write in [true, false] {
        let mut browser = app.browser().await;
        let old = browser.clone();
        let both = with_new_secret(&app);
        assert!(set_cookie(&both.request(&mut browser, async |_| ()).await).is_none(), "a read sets no cookie");
        app.clock.advance(MINUTE);
        let response = both
            .request(&mut browser, async |session| {
                if is_write {
                    session.set("n", &1).expect("a number is JSON");
                }
            })
            .await;
        assert!(set_cookie(&response).is_some());
        let id = |browser: &Browser| browser.cookie.as_deref().map(|cookie| cookie[..32].to_owned());
        assert!(browser != old && id(&browser) == id(&old), "the id stays, the signature does not");
        app.clock.advance(MINUTE);
        assert!(set_cookie(&both.request(&mut browser, async |_| ()).await).is_none());
    }
}

#[tokio::test]
async fn a_slow_request_with_an_old_signature_leaves_the_cookie_of_a_login_alone() {
    let app = App::new();
    let browser = app.browser().await;
    let both = with_new_secret(&app);
    let slow = both.visit(&browser);
    slow.open().await;
    app.clock.advance(MINUTE);
    both.request(&mut browser.clone(), async |session| session.login("ada").expect("a short name is an owner")).await;
    assert!(set_cookie(&slow.finish().await).is_none());
}

#[tokio::test]
async fn a_priority_is_said_and_the_removal_says_it_too() {
    let policy = CookiePolicy::builder().with_priority(Priority::High).build().expect("it goes with everything");
    let app = App::with(|config| config.with_cookie(policy));
    let mut browser = Browser::default();
    let response = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    let flags = "Path=/; Secure; HttpOnly; SameSite=Lax; Priority=High";
    assert_eq!(set_cookie(&response).map(|(_, flags)| flags).as_deref(), Some(flags));
    let response = app.request(&mut browser, async |session| session.logout()).await;
    assert!(set_cookie(&response).is_some_and(|(_, removal)| removal.starts_with(flags)));
}

#[tokio::test]
async fn paths_that_the_cookie_is_not_sent_to_have_no_session_if_that_is_wanted() {
    let policy =
        |path: &str| CookiePolicy::builder().with_name("__Secure-s").with_path(path).build().expect("the path is one");
    for (own, path, is_served) in [
        ("/app", "/app", true),
        ("/app", "/app/x", true),
        ("/app", "/apple", false),
        ("/app", "/", false),
        ("/app/", "/app/x", true),
        ("/app/", "/app", false),
        ("/", "/x", true),
    ] {
        let app = App::with(|config| config.with_cookie(policy(own)));
        let gated = App::with(|config| config.with_cookie(policy(own)).with_path_gating());
        let request = Request::builder().uri(path).body(()).expect("the test's request is valid");
        for (config, is_served) in [(app.config, true), (gated.config, is_served)] {
            let slot = SessionSlot::for_request(config, &request);
            let outcome = slot.open(request.headers()).await;
            assert_eq!(outcome.is_ok(), is_served, "{own} {path}");
            assert!(is_served || matches!(outcome, Err(Error::OutsidePath)));
            assert!(slot.commit().await.is_ok());
        }
    }
}

#[tokio::test]
async fn ids_of_the_applications_own_are_used_and_a_failure_is_an_error() {
    let id = "an-id-of-the-tests-own-32-letters".get(..32).expect("it is long enough");
    let app = App::with(|config| config.with_new_id(move || Ok(SessionId::parse(id)?)));
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert!(browser.cookie.as_deref().is_some_and(|cookie| cookie.starts_with(id)));
    assert!(!app.visit(&browser).open().await.is_new());
    let other = app.visit(&Browser::default());
    other.open().await.set("n", &1).expect("a number is JSON");
    assert_eq!(other.finish().await.status(), 503, "the same id again is no session");
    let broken = App::with(|config| config.with_new_id(|| Err("no id today".into())));
    let visit = broken.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    assert_eq!(visit.finish().await.status(), 503);
}

#[tokio::test]
async fn an_id_that_would_not_come_back_is_refused_before_anything_is_stored() {
    for id in ["7", "id; Domain=example.org; 32 bytes.", "é-is-a-letter-and-no-url-has-it-"] {
        let app = App::with(|config| config.with_new_id(move || Ok(SessionId::foreign(id)?)));
        let visit = app.visit(&Browser::default());
        visit.open().await.set("n", &1).expect("a number is JSON");
        let response = visit.finish().await;
        assert_eq!(response.status(), 503, "{id}");
        assert!(set_cookie(&response).is_none(), "{id}");
        assert!(app.store.calls().is_empty(), "{id}");
    }
}
