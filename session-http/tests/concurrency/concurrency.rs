//! Two and more requests of one browser at once: nothing is lost, and nothing comes back (A1, A2, A3, A5, A11, A14).

use session_core::{SessionIndex, SessionStore, Timestamp};
use session_http::Error;

use crate::support::{App, Browser, HOUR, MINUTE, owner, set_cookie};

fn number(value: Option<serde_json::Value>) -> u64 {
    value.and_then(|value| value.as_u64()).expect("a number is stored")
}

#[tokio::test]
async fn a1_the_slower_of_two_writers_does_not_undo_the_faster() {
    let app = App::new();
    let browser = app.browser().await;
    let (slow, fast) = (app.visit(&browser), app.visit(&browser));
    let (of_slow, of_fast) = (slow.open().await, fast.open().await);
    of_fast.set("theme", "dark").expect("text is JSON");
    of_fast.set("n", &7).expect("a number is JSON");
    fast.finish().await;
    of_slow.set("name", "Ada").expect("text is JSON");
    assert!(set_cookie(&slow.finish().await).is_none());
    assert_eq!(app.value(&browser, "theme").await, Some("dark".into()));
    assert_eq!(app.value(&browser, "name").await, Some("Ada".into()));
    assert_eq!(number(app.value(&browser, "n").await), 7);
}

#[tokio::test]
async fn a1_a_slower_touch_does_not_undo_a_write() {
    let app = App::new();
    let browser = app.browser().await;
    let (slow, fast) = (app.visit(&browser), app.visit(&browser));
    slow.open().await.touch();
    fast.open().await.set("n", &7).expect("a number is JSON");
    app.clock.advance(MINUTE);
    fast.finish().await;
    app.clock.advance(MINUTE);
    app.store.calls();
    slow.finish().await;
    assert_eq!(app.store.calls(), ["touch"]);
    assert_eq!(number(app.value(&browser, "n").await), 7);
}

#[tokio::test]
async fn removal_set_and_clear_are_made_again_key_by_key() {
    let app = App::new();
    let browser = app.browser().await;
    let (slow, fast) = (app.visit(&browser), app.visit(&browser));
    let (of_slow, of_fast) = (slow.open().await, fast.open().await);
    of_slow.remove("n");
    of_slow.set("mine", &1).expect("a number is JSON");
    of_fast.set("n", &5).expect("a number is JSON");
    of_fast.set("theirs", &2).expect("a number is JSON");
    fast.finish().await;
    slow.finish().await;
    let session = app.visit(&browser).open().await;
    assert_eq!(session.keys(), ["theirs", "mine"]);

    let (slow, fast) = (app.visit(&browser), app.visit(&browser));
    let (of_slow, of_fast) = (slow.open().await, fast.open().await);
    of_slow.clear();
    of_slow.set("last", &3).expect("a number is JSON");
    of_fast.set("late", &4).expect("a number is JSON");
    fast.finish().await;
    slow.finish().await;
    assert_eq!(app.visit(&browser).open().await.keys(), ["last"]);
}

#[tokio::test]
async fn twenty_additions_at_once_lose_nothing_and_sixty_four_do_not_give_up() {
    for writers in [20, 64] {
        let app = App::new();
        let browser = app.browser().await;
        app.store.yield_before_calls();
        let visits: Vec<_> = (0..writers).map(|_| app.visit(&browser)).collect();
        for (number, visit) in visits.iter().enumerate() {
            let session = visit.open().await;
            session.modify("cart", move |cart: &mut Vec<usize>| cart.push(number)).expect("a list is stored");
            session.modify("n", |n: &mut u64| *n += 1).expect("a number is stored");
        }
        let commits: Vec<_> =
            visits.into_iter().map(|visit| tokio::spawn(async move { visit.finish().await.status() })).collect();
        for commit in commits {
            assert_eq!(commit.await.expect("no commit panics"), 200);
        }
        let session = app.visit(&browser).open().await;
        let mut cart: Vec<usize> = session.get("cart").expect("it is a list").expect("it is stored");
        cart.sort_unstable();
        assert_eq!(cart, (0..writers).collect::<Vec<_>>());
        assert_eq!(number(session.get("n").expect("it is a number")), writers as u64);
    }
}

#[tokio::test]
async fn a2_a_slow_request_does_not_undo_a_logout() {
    let app = App::new();
    for write in [true, false] {
        let mut browser = app.browser().await;
        let before = browser.clone();
        let slow = app.visit(&browser);
        let session = slow.open().await;
        app.request(&mut browser, async |session| session.logout()).await;
        assert_eq!(browser, Browser::default());
        if write {
            session.set("n", &9).expect("a number is JSON");
        } else {
            session.touch();
        }
        app.clock.advance(MINUTE);
        let response = slow.finish().await;
        assert_eq!(response.status(), if write { 409 } else { 200 }, "what is dropped is said");
        assert!(set_cookie(&response).is_none());
        assert!(app.visit(&before).open().await.is_new());
        assert_eq!(app.store.inner.count(session_core::Scope::All).await.expect("it counts"), 0);
    }
}

#[tokio::test]
async fn a5_and_a14_a_slow_request_moves_neither_the_expiry_back_nor_the_deadline() {
    let app = App::new();
    let mut browser = app.browser().await;
    let key = app.visit(&browser).open().await.key().expect("it is stored");
    let deadline = app.now().saturating_add(24 * HOUR);
    let (slow_touch, slow_write) = (app.visit(&browser), app.visit(&browser));
    slow_touch.open().await.touch();
    slow_write.open().await.set("n", &1).expect("a number is JSON");
    app.clock.advance(10 * MINUTE);
    app.request(&mut browser, async |session| session.touch()).await;
    let acknowledged = expiry(&app, &key).await;
    slow_touch.finish().await;
    assert_eq!(expiry(&app, &key).await, acknowledged);
    slow_write.finish().await;
    assert_eq!(expiry(&app, &key).await, acknowledged);

    for _ in 0..28 {
        app.clock.advance(50 * MINUTE);
        app.request(&mut browser, async |session| {
            session.modify("n", |n: &mut u64| *n += 1).expect("a number is stored");
            session.rotate();
        })
        .await;
    }
    assert_eq!(app.visit(&browser).open().await.expires_at(), Some(deadline));
    app.clock.set(deadline);
    assert!(app.visit(&browser).open().await.is_new(), "no use extends a session past its deadline");
}

async fn expiry(app: &App, key: &session_core::SessionKey) -> Timestamp {
    let (record, _) = app.store.inner.load(key).await.expect("it works").expect("it is live");
    assert_eq!(record.deadline, Some(record.created_at.saturating_add(24 * HOUR)));
    record.expires_at
}

#[tokio::test]
async fn a_login_that_meets_a_logout_is_refused_and_the_next_one_begins_a_session() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    let session = slow.open().await;
    session.set("mine", &1).expect("a number is JSON");
    session.login("ada").expect("a short name is an owner");
    app.request(&mut browser, async |session| session.logout()).await;
    let response = slow.finish().await;
    assert_eq!((response.status().as_u16(), set_cookie(&response)), (409, None));
    app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    let session = app.visit(&browser).open().await;
    assert_eq!(session.owner(), Some(owner("ada")));
    assert!(session.is_empty(), "nothing of the session that was ended comes back");
}

#[tokio::test]
async fn an_emptied_session_is_not_destroyed_over_a_concurrent_write() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    slow.open().await.remove("n");
    app.request(&mut browser, async |session| session.set("theirs", &2).expect("a number is JSON")).await;
    assert!(set_cookie(&slow.finish().await).is_none());
    assert_eq!(app.visit(&browser).open().await.keys(), ["theirs"]);
}

#[tokio::test]
async fn two_extractors_at_once_share_one_load_and_one_session() {
    let app = App::new();
    let browser = app.browser().await;
    app.store.yield_before_calls();
    app.store.calls();
    let visit = app.visit(&browser);
    let (one, two) = tokio::join!(visit.open(), visit.open());
    one.set("n", &3).expect("a number is JSON");
    assert_eq!(two.get("n").expect("it is a number"), Some(3));
    assert_eq!(app.store.calls(), ["load"]);
}

#[tokio::test]
async fn a_session_that_ended_says_so_to_save_and_reload() {
    let app = App::new();
    let mut browser = app.browser().await;
    let (writer, reader) = (app.visit(&browser), app.visit(&browser));
    let (writing, reading) = (writer.open().await, reader.open().await);
    writing.set("n", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.set("n", &8).expect("a number is JSON")).await;
    reading.reload().await.expect("it is still there");
    assert_eq!(reading.get("n").expect("it is a number"), Some(8));
    app.request(&mut browser, async |session| session.logout()).await;
    assert!(matches!(writing.save().await, Err(Error::Ended)));
    assert!(matches!(reading.reload().await, Err(Error::Ended)));
    assert!(set_cookie(&writer.finish().await).is_none());
}

#[tokio::test]
async fn a_value_set_to_what_it_was_does_not_undo_anothers_change() {
    let app = App::new();
    let mut browser = app.browser().await;
    let slow = app.visit(&browser);
    let session = slow.open().await;
    session.set("n", &0).expect("a number is JSON");
    session.set("mine", &1).expect("a number is JSON");
    app.request(&mut browser, async |session| session.set("n", &5).expect("a number is JSON")).await;
    slow.finish().await;
    assert_eq!(number(app.value(&browser, "n").await), 5);
}
