//! The counters: each thing that happens to a session counts once, and nothing secret is in a name or a label (S19,
//! S20).

use session_core::SessionIndex;
use session_http::{FailurePolicy, LoadFailure, Secrets, SessionConfig, SessionLimit};

use crate::counted::Counted;
use crate::support::{App, Browser, MINUTE, SECRET, TokioTimer};

fn app() -> App {
    App::configured(|store, clock| {
        let secrets = Secrets::new([SECRET]).expect("the secret is long enough");
        let config = SessionConfig::new(store, secrets).with_clock(clock).with_timer(TokioTimer);
        let policy = FailurePolicy::default().with_load(LoadFailure::Anonymous);
        config.with_session_limit(SessionLimit::end_oldest(1)).with_failure(policy)
    })
}

fn one(names: &[&str]) -> Vec<(String, u64)> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

#[tokio::test]
async fn each_thing_that_happens_counts_once() {
    let counted = Counted::default();
    let _guard = metrics::set_default_local_recorder(&counted);
    let app = app();
    let mut browser = app.browser().await;
    assert_eq!(counted.take_all(), one(&["session_created_total"]));
    app.request(&mut browser, async |_| ()).await;
    assert_eq!(counted.take_all(), one(&["session_loaded_total"]));
    app.request(&mut browser, async |session| session.set("n", &7).expect("a number is JSON")).await;
    assert_eq!(counted.take_all(), one(&["session_loaded_total", "session_updated_total"]));
    app.clock.advance(2 * MINUTE);
    app.request(&mut browser, async |_| ()).await;
    assert_eq!(counted.take_all(), one(&["session_extended_total", "session_loaded_total"]));
    let old = browser.clone();
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_eq!(counted.take_all(), one(&["session_loaded_total", "session_login_total", "session_rotated_total"]));
    app.visit(&old).open().await;
    assert_eq!(counted.take_all(), one(&["session_unknown_total"]));

    let slow = app.visit(&browser);
    slow.open().await.modify("n", |n: &mut u32| *n += 1).expect("it is a number");
    app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    counted.take_all();
    slow.finish().await;
    assert_eq!(counted.take_all(), one(&["session_conflict_total", "session_updated_total"]));

    let second = app.visit(&Browser::default());
    second.open().await.login("ada").expect("a short name is an owner");
    let mut other = Browser::default();
    other.learn(&second.finish().await);
    let too_many = "session_destroyed_total reason=more sessions than the limit";
    assert_eq!(counted.take_all(), one(&["session_created_total", too_many, "session_login_total"]));

    let gone = app.visit(&other);
    gone.open().await.set("n", &1).expect("a number is JSON");
    app.request(&mut other, async |session| session.logout()).await;
    counted.take_all();
    gone.finish().await;
    assert_eq!(counted.take_all(), one(&["session_gone_total"]));

    let mut browser = app.browser().await;
    let pair = |browser: &Browser| format!("__Host-session={}", browser.cookie.as_deref().unwrap_or_default());
    let two = [pair(&browser), pair(&app.browser().await)];
    counted.take_all();
    app.visit_with(&two).open().await;
    app.visit_with(&["__Host-session=forged"]).open().await;
    let refused = ["session_refused_total reason=bad signature", "session_refused_total reason=two live sessions"];
    let loaded = ("session_loaded_total".to_owned(), 2);
    assert_eq!(counted.take_all(), [vec![loaded], one(&refused)].concat());

    let dropped = app.visit(&browser);
    dropped.open().await.set("n", &9).expect("a number is JSON");
    counted.take_all();
    drop(dropped);
    assert_eq!(counted.take_all(), one(&["session_dropped_total"]));
    app.store.set_down(true);
    app.request(&mut browser, async |session| session.set("n", &9).expect("a number is JSON")).await;
    let outage = ["session_failed_total reason=commit", "session_failed_total reason=load", "session_read_only_total"];
    assert_eq!(counted.take_all(), one(&outage));
    app.store.set_down(false);
    app.request(&mut browser, async |session| session.clear()).await;
    assert_eq!(counted.take_all(), one(&["session_destroyed_total reason=emptied", "session_loaded_total"]));
    app.store.inner.clear().await.expect("the memory store clears");

    // Every name and label is a word of the library, so there is a fixed number of them.
    let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_ =".contains(&byte));
    assert!(counted.names().iter().all(is_plain), "{:?}", counted.names());
}
