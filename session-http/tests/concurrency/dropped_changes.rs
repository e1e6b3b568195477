//! What was answered with success is there; where changes have to be dropped, the answer says so, and the browser's
//! cookie is left alone.

use http::Method;
use session_http::Session;

use crate::support::log::{drops, start_log};
use crate::support::servers::{interleavings, log_in};
use crate::support::{App, Browser, HOUR, Visit, set_cookie};

/// What may happen to a session between a request's beginning and its commit.
#[derive(Debug, Clone, Copy)]
enum Fate {
    LoggedOut,
    LoggedIn,
    Rotated,
    Expired,
    EndedElsewhere,
}

const FATES: [Fate; 5] = [Fate::LoggedOut, Fate::LoggedIn, Fate::Rotated, Fate::Expired, Fate::EndedElsewhere];

impl Fate {
    async fn happen(self, app: &App, browser: &mut Browser) {
        match self {
            Self::LoggedOut => drop(app.request(browser, async |session| session.logout()).await),
            Self::LoggedIn => drop(app.login(browser, "ada").await),
            Self::Rotated => drop(app.request(browser, async |session| session.rotate()).await),
            Self::Expired => app.clock.advance(HOUR),
            Self::EndedElsewhere => {
                use session_core::SessionStore as _;
                let key = app.key(browser).await;
                assert!(app.store.inner.delete(&key).await.expect("the memory store works"));
            }
        }
    }
}

/// Lets a request of this method act on its session, which meets its fate before the commit; returns the response's
/// status, whether it sets a cookie, and how many drops were told by an event.
async fn dropped(method: Option<&Method>, fate: Fate, act: fn(&Session)) -> (u16, bool, usize) {
    start_log();
    let app = App::new();
    let mut browser = app.browser().await;
    let visit = method.map_or_else(|| app.visit(&browser), |method| app.visit_by(method, &browser));
    act(&visit.open().await);
    fate.happen(&app, &mut browser).await;
    let before = drops();
    let response = visit.finish().await;
    (response.status().as_u16(), set_cookie(&response).is_some(), drops() - before)
}

fn set(session: &Session) {
    session.set("n", &9).expect("a number is JSON");
}

#[tokio::test]
async fn a_change_that_is_dropped_is_a_409_where_the_method_changes_something() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for fate in FATES {
            assert_eq!(dropped(Some(&method), fate, set).await.0, 409, "{method} {fate:?}");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_dropped_is_a_409_where_the_method_is_not_known() {
    for fate in FATES {
        assert_eq!(dropped(None, fate, set).await.0, 409, "{fate:?}");
    }
}

#[tokio::test]
async fn a_409_leaves_the_cookie_of_the_browser_alone() {
    for fate in FATES {
        let (status, sets_cookie, _) = dropped(Some(&Method::POST), fate, set).await;
        assert_eq!((status, sets_cookie), (409, false), "{fate:?}");
    }
}

#[tokio::test]
async fn a_page_is_answered_as_it_is_and_an_event_tells_of_the_drop() {
    for method in [Method::GET, Method::HEAD] {
        for fate in FATES {
            assert_eq!(dropped(Some(&method), fate, set).await, (200, false, 1), "{method} {fate:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_only_read_is_not_disturbed() {
    for method in [Method::POST, Method::GET] {
        for fate in FATES {
            let read = |session: &Session| assert_eq!(session.get::<u32>("n").expect("it is a number"), Some(0));
            assert_eq!(dropped(Some(&method), fate, read).await, (200, false, 0), "{method} {fate:?}");
        }
    }
}

#[tokio::test]
async fn a_removal_a_modify_and_a_rotation_that_are_dropped_are_409s_too() {
    let acts: [fn(&Session); 5] = [
        |session| session.remove("n"),
        |session| session.clear(),
        |session| session.modify("n", |n: &mut u32| *n += 1).expect("a number is stored"),
        |session| session.rotate(),
        |session| drop(session.take::<u32>("n")),
    ];
    for (number, act) in acts.into_iter().enumerate() {
        for fate in [Fate::LoggedOut, Fate::Expired] {
            assert_eq!(dropped(Some(&Method::POST), fate, act).await.0, 409, "{number} {fate:?}");
        }
    }
}

#[tokio::test]
async fn a_save_that_drops_changes_is_an_error_that_becomes_a_409() {
    for fate in FATES {
        let app = App::new();
        let mut browser = app.browser().await;
        let visit = app.visit_by(&Method::POST, &browser);
        let session = visit.open().await;
        set(&session);
        fate.happen(&app, &mut browser).await;
        let error = session.save().await.expect_err("the session has ended");
        assert_eq!(error.status(), 409, "{fate:?}");
        assert!(session.is_ended(), "{fate:?}");
    }
}

#[tokio::test]
async fn a_write_under_an_id_that_a_login_replaced_before_it_came_is_a_409() {
    let app = App::new();
    let browser = app.shopper().await;
    app.login(&mut browser.clone(), "ada").await;
    let visit = app.visit_by(&Method::POST, &browser);
    let session = visit.open().await;
    assert!(session.is_ended());
    set(&session);
    assert_eq!(visit.finish().await.status(), 409);
}

#[tokio::test]
async fn a_login_on_a_session_that_was_ended_meanwhile_creates_nothing() {
    for fate in [Fate::LoggedOut, Fate::EndedElsewhere] {
        let app = App::new();
        let mut browser = app.browser().await;
        let visit = app.visit_by(&Method::POST, &browser);
        log_in(&visit.open().await, "ada");
        fate.happen(&app, &mut browser).await;
        assert_eq!((visit.finish().await.status().as_u16(), app.live().await), (409, 0), "{fate:?}");
    }
}

/// Runs tabs that shop (`a` opens and puts, `A` commits; `b`) or log in (`l`, `m`) in an order; returns which items
/// were acknowledged and are not in the cart, which logins were refused, and how many sessions there are.
async fn shop(order: &str) -> (Vec<char>, Vec<char>, u64) {
    let app = App::new();
    let mut browser = app.shopper().await;
    let visits: Vec<(char, Visit)> =
        ['a', 'b', 'l', 'm'].map(|tab| (tab, app.visit_by(&Method::POST, &browser))).into_iter().collect();
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for step in order.chars() {
        let tab = step.to_ascii_lowercase();
        let visit = visits.iter().find_map(|(name, visit)| (*name == tab).then_some(visit)).expect("it is one of them");
        if step.is_lowercase() {
            let session = visit.open().await;
            match tab {
                'a' | 'b' => session.set(&tab.to_string(), &1).expect("a number is JSON"),
                _ => log_in(&session, "ada"),
            }
        } else {
            let response = visit.finish().await;
            browser.learn(&response);
            match (tab, response.status().as_u16()) {
                ('a' | 'b', 200) => acknowledged.push(tab),
                (_, 200) | ('a' | 'b', _) => {}
                _ => refused.push(tab),
            }
        }
    }
    let there = app.visit(&browser).open().await.keys();
    acknowledged.retain(|item| !there.contains(&item.to_string()));
    let has_tea = there.contains(&"cart".to_owned());
    acknowledged.extend((!has_tea).then_some('t'));
    (acknowledged, refused, app.live().await)
}

#[tokio::test]
async fn what_two_tabs_that_shop_and_one_that_logs_in_were_told_is_there_in_every_order() {
    for order in interleavings(&["aA", "bB", "lL"]) {
        assert_eq!(shop(&order).await, (vec![], vec![], 1), "{order}");
    }
}

#[tokio::test]
async fn what_a_tab_that_shops_and_two_that_log_in_were_told_is_there_in_every_order() {
    for order in interleavings(&["aA", "lL", "mM"]) {
        assert_eq!(shop(&order).await, (vec![], vec![], 1), "{order}");
    }
}

#[tokio::test]
async fn a_value_that_is_set_while_another_tab_removes_the_last_one_is_there() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit_by(&Method::POST, &browser);
    slow.open().await.set("m", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.remove("n")).await;
    let response = slow.finish().await;
    browser.learn(&response);
    assert_eq!((response.status().as_u16(), app.value(&browser, "m").await), (200, Some(1.into())));
}

/// Sets a value and sets it back while another request sets it; returns what is there then.
async fn changed_back(and_another: bool) -> Option<serde_json::Value> {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    let session = slow.open().await;
    for value in [1, 0] {
        session.set("n", &value).expect("a number is JSON");
    }
    if and_another {
        session.set("m", &1).expect("a number is JSON");
    }
    app.request(&mut browser, async |session| session.set("n", &7).expect("a number is JSON")).await;
    slow.finish().await;
    app.value(&browser, "n").await
}

#[tokio::test]
async fn a_value_that_was_changed_back_meets_a_conflict_by_one_rule() {
    assert_eq!(changed_back(false).await, changed_back(true).await);
}
