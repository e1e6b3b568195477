//! The rules of Express: sessions that are ended from elsewhere, commits that fail, and cookies that two requests change.

mod support;

use http::header;
use session_core::SessionKey;
use session_express::{ExpressCookie, Session, SessionSlot};
use session_http::SessionLimit;
use support::{HOUR, MINUTE, Site, lean, open, set};

/// Logs a new browser in, and returns its cookie and its key.
async fn log_in(site: &mut Site) -> (Option<String>, SessionKey) {
    site.cookie = None;
    site.visit(async |session| support::log_in(session)).await.expect("a session begins");
    (site.cookie.clone(), open(&site.slot()).await.key().expect("it is stored"))
}

/// Ends a request whose commit fails, and returns its `Set-Cookie`.
async fn fail(site: &Site, slot: &SessionSlot) -> Option<String> {
    site.store.set_down(true);
    let error = slot.commit().await.map(drop).expect_err("the store is away");
    site.store.set_down(false);
    let response = slot.refuse(&error);
    assert_eq!(response.status(), 503);
    Some(response.headers().get(header::SET_COOKIE)?.to_str().expect("it is text").to_owned())
}

/// As an application of Express logs a user in.
fn sign_in(session: &Session) {
    session.regenerate();
    set(session, "user");
}

#[tokio::test]
async fn who_was_logged_out_from_elsewhere_logs_in_again_at_once() {
    for way in 0..3 {
        let mut site = Site::with(lean(), |config| match way {
            2 => config.with_session_limit(SessionLimit::end_oldest(1)),
            _ => config,
        });
        let (there, key) = log_in(&mut site).await;
        let on_its_way = site.slot();
        log_in(&mut site).await;
        site.visit(async |session| match way {
            0 => assert!(session.end_session(&key).await.expect("the store works")),
            1 => assert_eq!(session.end_other_sessions().await.expect("it is an index"), 1),
            _ => {}
        })
        .await;
        site.cookie = there;
        let late = site.slot();
        sign_in(&open(&on_its_way).await);
        assert_eq!(site.finish(&on_its_way).await, None, "{way}");
        site.visit(async |session| sign_in(session)).await.expect("a session begins");
        site.visit(async |session| assert_eq!(session.keys(), ["user"])).await;
        set(&open(&late).await, "late");
        assert_eq!(site.finish(&late).await, None, "{way}: the browser has another cookie");
    }
}

#[tokio::test]
async fn a_commit_that_fails_sets_no_cookie() {
    let acts: [fn(&Session); 5] = [
        |session| set(session, "more"),
        |session| session.remove("n"),
        |session| session.rotate(),
        support::log_in,
        |session| session.regenerate(),
    ];
    let age = ExpressCookie::new().with_max_age(HOUR);
    for express in [lean(), lean().with_rolling(), lean().with_cookie(age)] {
        for act in acts {
            let mut site = Site::new(express.clone());
            site.visit(async |session| set(session, "n")).await;
            let slot = site.slot();
            act(&open(&slot).await);
            assert_eq!(fail(&site, &slot).await, None);
            site.visit(async |session| assert_eq!(session.keys(), ["n"])).await;
        }
        let mut site = Site::new(express);
        site.visit(async |session| set(session, "n")).await;
        let slot = site.slot();
        let session = open(&slot).await;
        session.rotate();
        session.save().await.expect("the store works");
        set(&session, "more");
        let line = fail(&site, &slot).await.expect("the old id is dead, so the new one is told");
        site.cookie = line.split(';').next().map(Into::into);
        site.visit(async |session| assert_eq!(session.keys(), ["n"])).await;
    }
}

#[tokio::test]
async fn of_two_requests_the_one_that_changed_the_cookie_decides_it() {
    for is_of_both in [false, true] {
        let mut site = Site::new(lean().with_cookie(ExpressCookie::new().with_max_age(HOUR)));
        site.visit(async |session| set(session, "n")).await;
        let slow = site.slot();
        let session = open(&slow).await;
        set(&session, "slow");
        if is_of_both {
            session.set_max_age(Some(2 * MINUTE));
        }
        site.visit(async |session| {
            session.set_max_age(Some(MINUTE));
            set(session, "fast");
        })
        .await;
        let expected = if is_of_both { 2 * MINUTE } else { MINUTE };
        let line = site.finish(&slow).await.expect("it has an age and was changed");
        assert!(line.contains(if is_of_both { "12:02:00 GMT" } else { "12:01:00 GMT" }), "{line}");
        let end = site.now().saturating_add(expected);
        site.visit(async |session| {
            assert_eq!(session.expires_at(), Some(end));
            assert_eq!(session.keys(), ["n", "fast", "slow"]);
        })
        .await;
    }
}
