//! A client chooses how many names its session has, so no call may cost more than in proportion to them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use session_core::{Data, SessionStore};
use session_http::Session;

use crate::support::{App, Browser};

/// As many names as fit in a record of a megabyte.
const MANY: u32 = 74_000;

/// As many as one request changes.
const SET: u32 = 30_000;

/// As many as one request puts into a session that is empty.
const NEW: u32 = 60_000;

/// What is linear takes a second or two of it in a debug build, and what is not takes minutes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it on a thread of its own, which a loop without an await cannot keep the test from leaving.
fn in_time(work: impl AsyncFnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the test machine has a runtime").block_on(work());
        done.send(())
    });
    match wait.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it takes more than {PATIENCE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it failed on its thread"),
    }
}

/// Makes a browser whose session has many names, and a user if it is to be logged in.
async fn crowded(app: &App, is_logged_in: bool) -> Browser {
    let mut browser = app.browser().await;
    if is_logged_in {
        app.request(&mut browser, async |session| session.login("ada").expect("a short name is an owner")).await;
    }
    let key = app.visit(&browser).open().await.key().expect("it is stored");
    let (mut record, revision) =
        app.store.inner.load(&key).await.expect("the memory store works").expect("it is there");
    let names: Vec<_> = (0..MANY).map(|number| format!("\"n{number}\":1")).collect();
    let own = record.data.as_str().strip_suffix('}').expect("it is an object");
    let text = format!("{own},{}}}", names.join(","));
    record.data = Data::parse(text).expect("it is an object");
    app.store.inner.update(&key, revision, &record).await.expect("a megabyte is not too large");
    browser
}

/// Does something in a session that has many names, and stores it.
fn visit(is_logged_in: bool, handler: impl AsyncFnOnce(&Session) + Send + 'static) {
    in_time(async move || {
        let app = App::new();
        let mut browser = crowded(&app, is_logged_in).await;
        let response = app.request(&mut browser, handler).await;
        assert_eq!(response.status(), 200);
    });
}

/// Does something in a new session, and stores it.
fn begin(handler: impl AsyncFnOnce(&Session) + Send + 'static) {
    in_time(async move || {
        let app = App::new();
        let response = app.request(&mut Browser::default(), handler).await;
        assert_eq!(response.status(), 200);
    });
}

#[test]
fn to_set_one_of_many_names_is_linear() {
    visit(true, async |session| session.set("n", &1).expect("a number is JSON"));
}

#[test]
fn to_remove_one_of_many_names_is_linear() {
    visit(false, async |session| session.remove("n7"));
}

#[test]
fn to_remove_many_names_is_linear() {
    visit(false, async |session| (0..SET).for_each(|number| session.remove(&format!("n{number}"))));
}

#[test]
fn to_take_one_of_many_names_is_linear() {
    visit(false, async |session| assert_eq!(session.take("n7").expect("it is a number"), Some(1)));
}

#[test]
fn to_ask_a_logged_in_session_with_many_names_if_it_is_empty_is_linear() {
    visit(true, async |session| assert!(!session.is_empty()));
}

#[test]
fn to_clear_a_logged_in_session_with_many_names_is_linear() {
    visit(true, async |session| session.clear());
}

#[test]
fn to_list_many_names_is_linear() {
    visit(false, async |session| assert!(session.keys().len() > MANY as usize));
}

#[test]
fn to_list_many_names_after_a_change_is_linear() {
    visit(true, async |session| {
        session.set("one", &1).expect("a number is JSON");
        assert!(session.keys().len() > MANY as usize);
    });
}

#[test]
fn to_set_many_names_in_one_request_is_linear() {
    begin(async |session| {
        for number in 0..NEW {
            session.set(&format!("n{number}"), &number).expect("a number is JSON");
        }
    });
}

#[test]
fn to_modify_many_names_in_one_request_is_linear() {
    begin(async |session| {
        for number in 0..NEW {
            session.modify(&format!("n{number}"), |n: &mut u32| *n += 1).expect("a number is JSON");
        }
    });
}

#[test]
fn to_set_many_names_of_many_is_linear() {
    visit(true, async |session| {
        for number in 0..SET {
            session.set(&format!("n{number}"), &2).expect("a number is JSON");
        }
    });
}

#[test]
fn to_make_many_changes_again_after_a_conflict_is_linear() {
    in_time(async || {
        let app = App::new();
        let mut browser = crowded(&app, false).await;
        let slow = app.visit(&browser);
        let session = slow.open().await;
        for number in 0..SET {
            session.set(&format!("n{number}"), &2).expect("a number is JSON");
        }
        app.request(&mut browser, async |session| session.set("n", &1).expect("a number is JSON")).await;
        assert_eq!(slow.finish().await.status(), 200);
        assert_eq!(app.value(&browser, "n7").await, Some(2.into()));
    });
}
