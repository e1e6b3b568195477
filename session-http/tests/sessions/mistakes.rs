//! A mistake of the program is answered with a 500, and an event says what it was.

use http::{Request, Response};
use session_http::{CookiePolicy, Error, SessionSlot};

use crate::support::log::{logged, start_log};
use crate::support::{App, Visit};

/// Answers a request with the error, as a layer and an application do, and returns what was logged as a warning or an
/// error.
async fn warned(visit: &Visit, error: &Error) -> String {
    let response: Response<String> = error.to_response();
    assert_eq!(response.status(), 500);
    visit.finish().await;
    let lines = logged();
    lines.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect()
}

#[tokio::test]
async fn a_value_of_another_type_is_an_event() {
    start_log();
    let app = App::new();
    let visit = app.visit(&app.browser().await);
    let error = visit.open().await.get::<Vec<String>>("n").expect_err("it is a number");
    let warned = warned(&visit, &error).await;
    assert!(warned.contains(&error.to_string()), "{warned:?} says nothing of: {error}");
}

#[tokio::test]
async fn a_value_that_is_no_json_is_an_event() {
    start_log();
    let app = App::new();
    let visit = app.visit(&app.browser().await);
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = visit.open().await.set("map", &map).expect_err("JSON has no such keys");
    let warned = warned(&visit, &error).await;
    assert!(warned.contains(&error.to_string()), "{warned:?} says nothing of: {error}");
}

#[tokio::test]
async fn a_reserved_name_is_an_event() {
    start_log();
    let app = App::new();
    let visit = app.visit(&app.browser().await);
    let error = visit.open().await.set("__login", &1).expect_err("it is the session's own");
    let warned = warned(&visit, &error).await;
    assert!(warned.contains(&error.to_string()), "{warned:?} says nothing of: {error}");
}

#[tokio::test]
async fn a_session_that_is_asked_for_outside_its_path_is_an_event() {
    start_log();
    let policy = CookiePolicy::builder().with_name("sid").with_path("/app").build().expect("it goes together");
    let app = App::with(|config| config.with_cookie(policy).with_path_gating());
    let request = Request::builder().uri("/other").body(()).expect("the test's request is valid");
    let slot = SessionSlot::for_request(app.config.clone(), &request);
    let error = slot.open(request.headers()).await.expect_err("there is none");
    let warned = warned(&app.visit_with(&[""; 0]), &error).await;
    assert!(warned.contains(&error.to_string()), "{warned:?} says nothing of: {error}");
}
