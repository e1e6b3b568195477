//! The options and the cookie can be read, and every choice can be taken back.

mod support;

use std::sync::Arc;
use std::time::Duration;

use session_express::{
    Expiry, Express, ExpressCookie, ExpressSession, Priority, SameSite, SameSitePolicy, SecurePolicy, SessionId,
    SessionIndex, Timestamp, Unset,
};
use support::{HOUR, MINUTE, Site, eager, lean, set};

#[tokio::test]
async fn the_age_of_a_session_can_be_read_as_in_node() {
    let mut site = Site::new(lean().with_cookie(ExpressCookie::new().with_max_age(MINUTE)));
    site.visit(async |session| {
        assert_eq!(session.express_max_age(), Some(MINUTE), "it is new");
        set(session, "n");
    })
    .await;
    site.clock.advance(Duration::from_secs(20));
    site.visit(async |session| {
        let cookie = session.express_cookie().expect("it has one");
        assert_eq!(cookie.original_max_age(), Some(MINUTE));
        // In a handler of Express, the last use is that of the request before.
        assert_eq!(session.express_max_age(), Some(Duration::from_secs(40)));
        session.set_max_age(Some(HOUR));
        assert_eq!(session.express_max_age(), Some(HOUR));
    })
    .await;
}

#[tokio::test]
async fn an_age_of_the_sessions_own_is_known_and_taken_back() {
    let mut site = Site::new(eager().with_cookie(ExpressCookie::new().with_max_age(MINUTE)));
    site.visit(async |session| {
        assert_eq!(session.max_age(), None);
        session.set_max_age(Some(HOUR));
        assert_eq!(session.max_age(), Some(HOUR));
    })
    .await;
    site.visit(async |session| {
        assert_eq!(session.max_age(), Some(HOUR));
        session.reset_max_age();
        assert_eq!((session.max_age(), session.express_max_age()), (None, Some(MINUTE)));
    })
    .await;
}

#[test]
fn a_cookie_without_an_age_says_so() {
    assert_eq!(ExpressCookie::new().original_max_age(), None);
    let ended = ExpressCookie::new().with_expires(Timestamp::MIN);
    assert_eq!((ended.original_max_age(), ended.expires()), (None, Some(Timestamp::MIN)));
}

#[test]
fn every_attribute_can_be_read() {
    let cookie = ExpressCookie::new()
        .with_domain("example.org")
        .with_path("/app")
        .with_same_site(SameSitePolicy::Is(SameSite::Strict))
        .with_secure(SecurePolicy::Always)
        .with_priority(Priority::High)
        .with_partitioning()
        .without_http_only();
    assert_eq!((cookie.domain(), cookie.path()), (Some("example.org"), Some("/app")));
    assert_eq!(cookie.same_site(), SameSitePolicy::Is(SameSite::Strict));
    assert_eq!(cookie.secure(), SecurePolicy::Always);
    assert_eq!(cookie.priority(), Some(Priority::High));
    assert!(cookie.is_partitioned() && !cookie.is_http_only());
    let auto = ExpressCookie::new().with_secure(SecurePolicy::Auto).with_same_site(SameSitePolicy::Auto);
    assert_eq!((auto.secure(), auto.same_site()), (SecurePolicy::Auto, SameSitePolicy::Auto));
    let plain = ExpressCookie::new();
    assert_eq!((plain.secure(), plain.same_site()), (SecurePolicy::Never, SameSitePolicy::Absent));
    assert_eq!((plain.domain(), plain.path(), plain.priority()), (None, Some("/"), None));
}

#[test]
fn every_choice_of_the_cookie_can_be_taken_back() {
    let chosen = ExpressCookie::new()
        .with_domain("example.org")
        .with_priority(Priority::High)
        .with_same_site(SameSitePolicy::Auto)
        .with_secure(SecurePolicy::Always)
        .with_partitioning()
        .without_http_only()
        .with_max_age(MINUTE);
    let back = chosen.without_domain().without_priority().without_same_site().without_secure();
    assert_eq!(back.without_partitioning().with_http_only().without_max_age(), ExpressCookie::new());
}

#[test]
fn every_other_choice_can_be_taken_back() {
    let chosen = lean().with_rolling().with_unset(Unset::Destroy);
    let back = chosen.with_resave().with_save_uninitialized().without_rolling().with_unset(Unset::Keep);
    assert_eq!(format!("{back:?}"), format!("{:?}", eager()));
}

#[tokio::test]
async fn each_use_is_a_touch_unless_the_expiry_has_a_throttle() {
    let throttled = Expiry::idle(HOUR).and_then(|expiry| expiry.with_touch_throttle(MINUTE)).expect("it goes together");
    for (expiry, seconds, calls) in [(None, 1, 2), (Some(throttled), 1, 1), (Some(throttled), 60, 2)] {
        let mut site = Site::with(lean(), |config| match expiry {
            Some(expiry) => config.with_expiry(expiry),
            None => config,
        });
        site.visit(async |session| set(session, "n")).await;
        site.clock.advance(Duration::from_secs(seconds));
        site.store.calls();
        site.visit(async |_| ()).await;
        assert_eq!(site.store.calls(), ["load", "touch"][..calls], "{expiry:?} {seconds}");
    }
}

/// Nothing of a third crate is needed to write these.
#[allow(dead_code, reason = "that it compiles is the test")]
fn what_the_options_take(
    store: Arc<dyn SessionIndex>,
    end: Timestamp,
) -> Result<session_express::Sessions, Box<dyn std::error::Error>> {
    let express = Express::new(["keyboard cat"])?.with_cookie(ExpressCookie::new().with_expires(end));
    let config = express.config(store)?.with_failure(session_express::FailurePolicy::default());
    Ok(config.with_new_id(|| Ok(SessionId::generate()?)).into())
}
