//! The rules of Express where one request does several things, and where several requests do one thing at once.

mod support;

use session_express::{ExpressCookie, ExpressSession, Unset};
use support::{HOUR, MINUTE, Site, ada, eager, lean, log_in, open, set};

#[tokio::test]
async fn a_login_after_an_unset_is_stored_and_told() {
    for unset in [Unset::Keep, Unset::Destroy] {
        for is_stored in [true, false] {
            let mut site = Site::new(lean().with_unset(unset));
            if is_stored {
                site.visit(async |session| set(session, "n")).await;
            }
            let login = site.visit(async |session| {
                session.unset();
                log_in(session);
            });
            assert!(login.await.is_some(), "{unset:?} {is_stored}");
            site.visit(async |session| assert_eq!(session.owner(), Some(ada()), "{unset:?} {is_stored}")).await;
        }
    }
}

#[tokio::test]
async fn who_begins_anew_with_the_values_of_before_has_them_stored() {
    for express in [lean(), eager()] {
        let mut site = Site::new(express);
        site.visit(async |session| set(session, "n")).await;
        let slow = site.slot();
        let session = open(&slow).await;
        site.visit(async |session| session.logout()).await;
        set(&session, "more");
        session.save().await.expect_err("it was destroyed");
        session.begin_anew();
        set(&session, "n");
        assert!(site.finish(&slow).await.is_some());
        site.visit(async |session| assert_eq!(session.keys(), ["n"])).await;
    }
}

#[tokio::test]
async fn a_cookie_that_was_saved_gives_way_to_one_that_another_request_set_later() {
    let mut site = Site::new(lean().with_cookie(ExpressCookie::new().with_max_age(HOUR)));
    site.visit(async |session| set(session, "n")).await;
    let slow = site.slot();
    let session = open(&slow).await;
    session.set_max_age(Some(2 * MINUTE));
    session.save().await.expect("the store works");
    site.visit(async |session| {
        session.set_max_age(Some(MINUTE));
        set(session, "fast");
    })
    .await;
    set(&session, "slow");
    site.finish(&slow).await;
    site.visit(async |session| {
        let cookie = session.express_cookie().expect("these are the rules of Express");
        assert_eq!(cookie.original_max_age(), Some(MINUTE));
        assert_eq!(session.keys(), ["n", "fast", "slow"]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ends_by_its_age_while_a_request_runs_stays_ended() {
    for express in [lean(), eager()] {
        let mut site = Site::new(express.with_cookie(ExpressCookie::new().with_max_age(MINUTE)));
        site.visit(async |session| set(session, "n")).await;
        let slow = site.slot();
        set(&open(&slow).await, "late");
        site.clock.advance(MINUTE);
        assert_eq!(site.finish(&slow).await, None);
        assert_eq!(site.live().await, 0);
        site.visit(async |session| set(session, "next")).await.expect("the next one begins a session");
    }
}

#[tokio::test]
async fn what_is_set_after_an_unset_is_dropped_and_an_id_that_changes_takes_the_unset_back() {
    for (unset, live) in [(Unset::Keep, 1), (Unset::Destroy, 0)] {
        let mut site = Site::new(lean().with_unset(unset));
        site.visit(async |session| set(session, "n")).await;
        let visit = site.visit(async |session| {
            session.unset();
            set(session, "more");
        });
        assert_eq!(visit.await, None);
        assert_eq!(site.live().await, live);
        let visit = site.visit(async |session| {
            set(session, "n");
            session.save().await.expect("the store works");
            session.unset();
            session.rotate();
        });
        assert!(visit.await.is_some());
        site.visit(async |session| assert_eq!(session.keys(), ["n"])).await;
    }
}

/// The store does not know it any more, and the browser is told all the same.
#[tokio::test]
async fn a_session_that_was_saved_with_no_age_left_is_over_and_its_cookie_too() {
    for is_stored in [true, false] {
        for saves_again in [true, false] {
            let mut site = Site::new(lean().with_cookie(ExpressCookie::new().with_max_age(HOUR)));
            if is_stored {
                site.visit(async |session| set(session, "n")).await;
            }
            let line = site.visit(async |session| {
                session.set_max_age(Some(std::time::Duration::ZERO));
                set(session, "more");
                session.save().await.expect("the store works");
                if saves_again {
                    set(session, "again");
                    session.save().await.expect("there is nothing left to store");
                }
            });
            let line = line.await.expect("it has an age and was changed");
            assert!(line.contains("; Expires=Thu, 01 Jan 2026 12:00:00 GMT"), "{line}");
            assert_eq!(site.live().await, 0);
        }
    }
}

/// Else each writes over what the one before has written, and loads again for each that was faster.
#[tokio::test]
async fn of_many_that_only_read_at_once_one_writes() {
    const READERS: usize = 150;
    let mut site = Site::new(eager());
    site.visit(async |session| set(session, "n")).await;
    let slots: Vec<_> = (0..READERS).map(|_| site.slot()).collect();
    for slot in &slots {
        open(slot).await;
    }
    site.store.calls();
    for slot in &slots {
        slot.commit().await.map(drop).expect("the store works");
    }
    let calls = site.store.calls();
    let count = |name| calls.iter().filter(|&&call| call == name).count();
    assert_eq!((count("update"), count("load"), count("touch")), (READERS, READERS - 1, READERS - 1));
    // What a request did to the cookie is no reading.
    let (one, other) = (site.slot(), site.slot());
    open(&one).await;
    open(&other).await.set_max_age(Some(MINUTE));
    site.finish(&one).await;
    site.finish(&other).await;
    site.visit(async |session| assert_eq!(session.expires_at(), Some(site_end(session)))).await;
}

fn site_end(session: &session_express::Session) -> session_core::Timestamp {
    session.created_at().expect("it is stored").saturating_add(MINUTE)
}
