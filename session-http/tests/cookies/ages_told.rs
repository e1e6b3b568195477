//! The age that the browser is told is the one that was asked for, whatever time passes between two readings of the
//! clock.

use std::time::Duration;

use session_core::{Clock, Expiry};
use session_http::{CookiePolicy, Secrets, Session, SessionConfig};

use crate::support::{App, Browser, HOUR, SECRET, set_cookie};
use crate::ticking::TickingClock;

/// Begins a session with a clock that goes on, and returns the `Max-Age` of its cookie.
async fn max_age(policy: CookiePolicy, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
    let app = App::configured(|store, clock| {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        let ticking = TickingClock::new(clock.now(), Duration::from_millis(1));
        let expiry = Expiry::idle(HOUR).expect("not zero");
        SessionConfig::new(store, secrets).with_clock(ticking).with_expiry(expiry).with_cookie(policy)
    });
    let response = app
        .request(&mut Browser::default(), async |session| {
            session.set("n", &1).expect("a number is JSON");
            handler(session).await;
        })
        .await;
    let (_, attributes) = set_cookie(&response).expect("a session was created");
    attributes.split("; ").find_map(|attribute| attribute.strip_prefix("Max-Age=").map(Into::into))
}

#[tokio::test]
async fn a_cookie_that_lives_as_long_as_its_session_is_told_all_of_it() {
    let policy = CookiePolicy::builder().with_max_age(HOUR).build().expect("it is a valid age");
    assert_eq!(max_age(policy, async |_| ()).await.as_deref(), Some("3600"));
}

#[tokio::test]
async fn an_age_of_the_sessions_own_is_told_as_it_was_set() {
    let minute = Some(Duration::from_secs(60));
    let told = max_age(CookiePolicy::default(), async |session| session.set_max_age(minute)).await;
    assert_eq!(told.as_deref(), Some("60"));
}

#[tokio::test]
async fn an_age_of_one_second_is_no_removal() {
    let second = Some(Duration::from_secs(1));
    let told = max_age(CookiePolicy::default(), async |session| session.set_max_age(second)).await;
    assert_eq!(told.as_deref(), Some("1"));
}
