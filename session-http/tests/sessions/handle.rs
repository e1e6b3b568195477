//! What a handler can ask of its session and do to it, beside reading and setting values.

use std::collections::BTreeMap;

use http::{Method, Response, StatusCode};
use session_core::{Scope, SessionIndex};
use session_http::{Error, FailurePolicy, ServerErrors, SessionSlot};

use crate::support::{Act, App, Browser, HOUR, MINUTE, owner, set_cookie};

#[tokio::test]
async fn values_are_asked_for_replaced_and_read_all_at_once() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        assert!(session.contains("n") && !session.contains("m"));
        assert_eq!(session.replace("n", &7).expect("it is a number"), Some(0));
        assert_eq!(session.replace("m", &1).expect("it is a number"), None);
        assert_eq!(session.get_or_insert("m", 5).expect("it is a number"), 1);
        assert_eq!(session.get_or_insert("k", 5).expect("it is a number"), 5);
        session.login("ada").expect("a short name is an owner");
    })
    .await;
    let session = app.visit(&browser).open().await;
    let values: BTreeMap<String, u8> = session.values().expect("all are numbers");
    assert_eq!(values.into_iter().collect::<Vec<_>>(), [("k".into(), 5), ("m".into(), 1), ("n".into(), 7)]);
    assert!(matches!(session.values::<BTreeMap<String, String>>(), Err(Error::UnreadableValue { .. })));
}

#[tokio::test]
async fn a_value_whose_type_has_changed_is_reset_and_its_user_goes_on() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| {
        assert!(session.get::<String>("n").is_err());
        assert_eq!(session.get_or_reset::<String>("n"), None);
        session.set("n", "text").expect("text is JSON");
    })
    .await;
    assert_eq!(app.value(&browser, "n").await, Some("text".into()));
}

#[tokio::test]
async fn a_request_knows_whether_it_changed_the_session() {
    let app = App::new();
    let mut browser = app.browser().await;
    let acts: [(Act, bool); 5] = [
        (|session| session.set("n", &0).expect("a number is JSON"), false),
        (|session| session.set("n", &1).expect("a number is JSON"), true),
        (|session| session.touch(), false),
        (|session| session.rotate(), true),
        (|session| session.set_max_age(Some(HOUR / 2)), true),
    ];
    for (number, (act, is_change)) in acts.into_iter().enumerate() {
        app.request(&mut browser, async |session| {
            act(session);
            assert_eq!(session.is_changed(), is_change, "{number}");
            session.save().await.expect("the store works");
            assert_eq!(session.is_changed(), is_change, "{number}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_expired_session_is_told_from_none_and_from_one_that_was_ended_meanwhile() {
    let app = App::new();
    let mut browser = app.browser().await;
    assert!(!app.visit(&browser).open().await.has_expired());
    assert!(!app.visit(&Browser::default()).open().await.has_expired());
    assert!(!app.visit(&Browser { cookie: Some("forged".into()) }).open().await.has_expired());
    let stale = browser.clone();
    app.request(&mut browser, async |session| session.rotate()).await;
    let session = app.visit(&stale).open().await;
    assert!(session.has_expired() && session.is_ended());
    app.clock.advance(HOUR);
    let session = app.visit(&browser).open().await;
    assert!(session.has_expired() && !session.is_ended());
}

#[tokio::test]
async fn a_session_is_begun_anew_on_purpose_where_one_was_ended() {
    let app = App::new();
    let stale = app.browser().await;
    app.request(&mut stale.clone(), async |session| session.rotate()).await;
    let mut browser = stale.clone();
    let refused = app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert_eq!((refused.status().as_u16(), &browser), (409, &stale));
    app.request(&mut browser, async |session| {
        session.begin_anew();
        session.set("n", &2).expect("a number is JSON");
    })
    .await;
    assert_eq!(app.value(&browser, "n").await, Some(2.into()));
}

#[tokio::test]
async fn an_end_that_use_does_not_move_is_kept_until_it_is_taken_back() {
    let app = App::new();
    let mut browser = app.browser().await;
    let end = app.now().saturating_add(HOUR / 2);
    app.request(&mut browser, async |session| session.end_at(Some(end))).await;
    for _ in 0..2 {
        app.clock.advance(14 * MINUTE);
        app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
        assert_eq!(app.visit(&browser).open().await.expires_at(), Some(end));
    }
    let mut other = browser.clone();
    app.request(&mut other, async |session| session.end_at(None)).await;
    app.clock.advance(14 * MINUTE);
    assert!(!app.visit(&browser).open().await.is_new());
    let end = app.now().saturating_add(MINUTE);
    app.request(&mut browser, async |session| session.end_at(Some(end))).await;
    app.clock.advance(MINUTE);
    assert!(app.visit(&browser).open().await.is_new());
}

#[tokio::test]
async fn an_age_is_read_back_and_given_up() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.set_max_age(Some(2 * HOUR))).await;
    assert_eq!(app.visit(&browser).open().await.max_age(), Some(2 * HOUR));
    app.request(&mut browser, async |session| session.reset_max_age()).await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.max_age(), session.expires_at()), (None, Some(app.now().saturating_add(HOUR))));
}

#[tokio::test]
async fn a_session_is_made_anonymous_and_keeps_its_values_under_a_new_id() {
    let app = App::new();
    let mut browser = app.browser().await;
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let before = browser.clone();
    app.request(&mut browser, async |session| {
        session.forget_owner();
        assert_eq!((session.owner(), session.authenticated_at()), (None, None));
    })
    .await;
    let session = app.visit(&browser).open().await;
    assert_eq!((session.owner(), session.get("n").expect("it is a number")), (None, Some(0)));
    assert!(app.visit(&before).open().await.is_new());
    assert_eq!(app.store.inner.count(Scope::Owner(&owner("ada"))).await.expect("it counts"), 0);
}

#[tokio::test]
async fn what_cannot_be_a_user_is_refused_and_numbers_are_users() {
    let app = App::new();
    let mut browser = Browser::default();
    app.request(&mut browser, async |session| {
        assert!(matches!(session.login(""), Err(Error::InvalidOwner(_))));
        assert_eq!(session.owner(), None);
        session.login(17_u64).expect("a number is an owner");
    })
    .await;
    assert_eq!(app.visit(&browser).open().await.owner(), Some(owner("17")));
}

#[tokio::test]
async fn a_change_that_refuses_stores_all_else_and_says_what_the_stored_run_said() {
    let app = App::new();
    let browser = app.browser().await;
    app.store.yield_before_calls();
    let adds = (0..20).map(|number| {
        let visit = app.visit(&browser);
        tokio::spawn(async move {
            let session = visit.open().await;
            session.set(&format!("seen{number}"), &true).expect("it is JSON");
            let added = session.update("cart", move |cart: &mut Vec<u32>| {
                if cart.len() >= 5 {
                    return Err("full");
                }
                cart.push(number);
                Ok(cart.len())
            });
            let added = added.await.expect("the store works");
            assert_eq!(visit.finish().await.status(), 200);
            added
        })
    });
    let mut places = Vec::new();
    for add in adds.collect::<Vec<_>>() {
        places.extend(add.await.expect("no request panics"));
    }
    places.sort_unstable();
    assert_eq!(places, [1, 2, 3, 4, 5], "each saw the cart as it was stored");
    let session = app.visit(&browser).open().await;
    assert_eq!(session.get::<Vec<u32>>("cart").expect("it is a list").map(|cart| cart.len()), Some(5));
    assert_eq!(session.keys().len(), 22, "what else was set is stored");
}

#[tokio::test]
async fn the_application_says_what_a_failed_commit_looks_like() {
    let app = App::with(|config| {
        config.with_refusal(|error| {
            let is_ended = matches!(error, Error::Ended);
            is_ended.then(|| Response::builder().status(StatusCode::GONE).body("try again".to_owned()).ok()).flatten()
        })
    });
    let browser = app.browser().await;
    let slow = app.visit(&browser);
    slow.open().await.set("n", &1).expect("a number is JSON");
    app.request(&mut browser.clone(), async |session| session.logout()).await;
    let refused = slow.finish().await;
    assert_eq!((refused.status().as_u16(), refused.body().as_str()), (410, "try again"));
    app.store.set_down(true);
    let visit = app.visit(&Browser::default());
    visit.open().await.set("n", &1).expect("a number is JSON");
    assert_eq!(visit.finish().await.status(), 503, "where it says nothing, it is as without it");
}

#[tokio::test]
async fn a_response_of_500_stores_its_session_or_does_not_as_the_policy_says() {
    for discards in [false, true] {
        let errors = if discards { ServerErrors::Discard } else { ServerErrors::Store };
        let app = App::with(|config| config.with_failure(FailurePolicy::default().with_server_errors(errors)));
        let browser = app.browser().await;
        for (status, is_stored) in [(404, true), (500, !discards), (503, !discards)] {
            let visit = app.visit_by(&Method::POST, &browser);
            let session = visit.open().await;
            session.set("n", &status).expect("a number is JSON");
            let status = StatusCode::from_u16(status).expect("it is a status");
            visit.finish_as(status).await;
            assert_eq!(app.value(&browser, "n").await == Some(status.as_u16().into()), is_stored, "{status}");
        }
    }
}

#[tokio::test]
async fn of_one_slot_there_is_one_session_and_a_slot_knows_its_configuration() {
    let (app, other) = (App::new(), App::new());
    let slot = SessionSlot::new(app.config.clone());
    assert!(slot.is_of(&app.config) && !slot.is_of(&other.config));
    let one = slot.open(&Default::default()).await.expect("nothing is loaded");
    one.set("n", &1).expect("a number is JSON");
    let two = slot.session().expect("it is open");
    assert_eq!(two.get("n").expect("it is a number"), Some(1));
    let response = slot.commit().await.expect("the store works");
    let mut sent = Response::new(());
    response.apply_to(&mut sent);
    assert!(set_cookie(&sent).is_some());
}
