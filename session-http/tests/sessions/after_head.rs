//! A change of the id that comes too late, after the head or when the client has gone, is refused; the data is stored
//! all the same.

use std::time::Duration;

use session_http::Error;

use crate::support::{App, Trouble};

#[tokio::test]
async fn a_rotation_that_comes_too_late_does_not_keep_data_from_being_stored() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    visit.finish().await;
    session.rotate();
    session.set("n", &1).expect("a number is JSON");
    assert!(matches!(session.save().await, Err(Error::HeadSent)), "who asked for the rotation is told");
    let again = session.save().await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(app.value(&browser, "n").await, Some(1.into()));
}

#[tokio::test]
async fn a_rotation_that_comes_too_late_is_refused_once() {
    let app = App::new();
    let browser = app.browser().await;
    let visit = app.visit(&browser);
    let session = visit.open().await;
    visit.finish().await;
    session.rotate();
    assert!(session.save().await.is_err());
    for n in 1..4 {
        session.set("n", &n).expect("a number is JSON");
        let saved = session.save().await;
        assert!(saved.is_ok(), "{n}: {saved:?}");
    }
}

/// Each call of the store takes a second before it does anything.
const CALL: Duration = Duration::from_secs(1);

/// Lets the client go away while a save is under way that rotates the session, so long after its beginning. Returns
/// what the save says, and whether the id that the browser has still lets in.
async fn abandoned_after(wait: Duration) -> (Result<(), Error>, bool) {
    let app = App::new();
    let mut browser = app.browser().await;
    let key = app.visit(&browser).open().await.key().expect("it is stored");
    let visit = app.visit(&browser);
    let session = visit.open().await;
    session.set("a", &1).expect("a number is JSON");
    session.rotate();
    // The first attempt meets a conflict, so it is loaded and tried again.
    app.request(&mut browser, async |session| session.set("b", &1).expect("a number is JSON")).await;
    app.store.set_trouble(Trouble::Slow(CALL));
    let saving = tokio::spawn(async move { session.save().await });
    tokio::time::sleep(wait).await;
    visit.abandon().await;
    let saved = saving.await.expect("it does not panic");
    (saved, app.is_live(&key).await)
}

#[tokio::test(start_paused = true)]
async fn a_save_under_way_does_not_rotate_for_a_client_that_has_gone() {
    // It is being loaded again.
    let (saved, is_live) = abandoned_after(CALL * 3 / 2).await;
    assert!(matches!(saved, Err(Error::HeadSent)), "{saved:?}");
    assert!(is_live, "the id that the browser has lets it in");
}

#[tokio::test(start_paused = true)]
async fn a_save_does_not_say_that_all_is_well_when_nobody_learns_the_new_id() {
    // The second attempt is with the store, and cannot be taken back.
    let (saved, is_live) = abandoned_after(CALL * 5 / 2).await;
    assert!(saved.is_err() || is_live, "the id is dead, the new one is unknown, and the save says Ok");
}
