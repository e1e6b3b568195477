//! The cookie and its session over a visit.

use std::path::Path;

use crate::support::Server;

#[test]
fn who_only_looks_gets_no_cookie_and_costs_no_record() {
    let server = Server::in_memory();
    let mut client = server.client();
    let answer = client.get("/");
    assert_eq!((answer.status, answer.set_cookie()), (200, None));
    assert!(answer.body.contains("costs no record"));
    let session = client.session();
    assert!(session["user"].is_null() && session["expires_at"].is_null());
    assert!(session["cart"].as_array().is_some_and(Vec::is_empty));
    assert!(session["devices"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(client.post("/logout", &[]).status, 303);
    assert_eq!(client.cookie, None);
}

#[test]
fn a_login_changes_the_id_and_the_old_one_is_dead_at_once() {
    let server = Server::in_memory();
    let mut client = server.client();
    client.post("/cart", &[("item", "tea")]);
    let mut old = client.clone();
    assert_eq!(old.cart(), ["tea"]);

    let answer = client.post("/login", &[("user", "ada")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert!(answer.set_cookie().is_some_and(|set| set.contains("HttpOnly") && set.contains("SameSite=Lax")));
    assert_ne!(client.cookie, old.cookie);
    assert_eq!((client.user().as_deref(), client.cart()), (Some("ada"), vec!["tea".to_owned()]));

    assert_eq!((old.user(), old.cart().len()), (None, 0));
    assert_eq!(old.get("/").set_cookie(), None, "an old tab leaves the browser's new cookie alone");
}

#[test]
fn logging_in_again_changes_the_id_again() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    let mut old = client.clone();
    client = client.logged_in_as("ada");
    assert_ne!(client.cookie, old.cookie);
    assert_eq!((client.user().as_deref(), old.user()), (Some("ada"), None));
}

#[test]
fn another_user_does_not_inherit_the_cart() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    client.post("/cart", &[("item", "diary")]);
    let mut client = client.logged_in_as("bob");
    assert_eq!((client.user().as_deref(), client.cart().len()), (Some("bob"), 0));
    assert_eq!(client.session()["devices"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_logout_ends_the_session_and_not_only_the_cookie() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    let mut copy = client.clone();
    let answer = client.post("/logout", &[]);
    assert_eq!(answer.status, 303);
    assert!(answer.set_cookie().is_some_and(|set| set.contains("Max-Age=0")));
    assert_eq!((client.user(), copy.user()), (None, None));
}

#[test]
fn two_cookies_of_the_name_are_none() {
    let server = Server::in_memory();
    let ada = server.client().logged_in_as("ada");
    let bob = server.client().logged_in_as("bob");
    let mut both = ada.clone();
    both.cookie = ada.cookie.zip(bob.cookie).map(|(ada, bob)| format!("{ada}; {bob}"));
    assert_eq!(both.user(), None);
}

#[test]
fn a_forged_cookie_is_none() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    let good = client.cookie.clone().unwrap();
    let last = if good.ends_with('A') { 'B' } else { 'A' };
    let unsigned = good.split('.').next().unwrap().to_owned();
    for forged in [format!("{}{last}", &good[..good.len() - 2]), unsigned, "session=".into(), "session=x".into()] {
        client.cookie = Some(forged);
        assert_eq!(client.session()["user"], serde_json::Value::Null);
    }
}

/// Ends the server by a signal, starts another one on the same folder, and finds everything as it was.
fn outlives(signal: &str, start: fn(&Path) -> Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut client = server.client().logged_in_as("ada");
    client.post("/cart", &[("item", "tea")]);
    let cookie = client.cookie.clone();
    let (status, log) = server.stop_with(signal);
    assert_eq!(status.success(), signal != "KILL", "{log}");

    let server = start(folder.path());
    let mut client = server.client();
    client.cookie = cookie;
    assert_eq!((client.user().as_deref(), client.cart()), (Some("ada"), vec!["tea".to_owned()]));
}

#[test]
fn a_restart_keeps_people_logged_in() {
    outlives("TERM", Server::on_sqlite);
    outlives("TERM", Server::on_files);
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    outlives("KILL", Server::on_sqlite);
    outlives("KILL", Server::on_files);
}
