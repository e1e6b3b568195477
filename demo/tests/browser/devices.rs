//! "Your devices": seen, ended, and never those of others.

use crate::support::{Client, Server};

fn devices(client: &mut Client) -> Vec<serde_json::Value> {
    client.session()["devices"].as_array().cloned().unwrap()
}

/// Returns the key of the client's own session.
fn own_key(client: &mut Client) -> String {
    let current: Vec<_> = devices(client).into_iter().filter(|device| device["current"] == true).collect();
    assert_eq!(current.len(), 1);
    current[0]["key"].as_str().map(str::to_owned).unwrap()
}

#[test]
fn each_login_is_a_device_and_one_is_the_current() {
    let server = Server::in_memory();
    let mut first = server.client();
    let answer =
        first.post_with("/login", &[("user", "ada")], &[("user-agent", "Mozilla/5.0 (X11; Linux) Firefox/143.0")]);
    assert_eq!(answer.status, 303);
    let mut second = server.client().logged_in_as("ada");
    let mut other = server.client().logged_in_as("bob");

    assert_eq!((devices(&mut first).len(), devices(&mut second).len(), devices(&mut other).len()), (2, 2, 1));
    assert_ne!(own_key(&mut first), own_key(&mut second));
    let page = second.get("/").body;
    assert!(page.contains("Firefox on Linux") && page.contains("this one"), "{page}");
    for device in devices(&mut first) {
        for time in ["created_at", "last_used_at", "expires_at"] {
            assert!(device[time].as_str().is_some_and(|text| text.ends_with('Z')), "{device}");
        }
    }
}

#[test]
fn one_device_is_ended_from_another() {
    let server = Server::in_memory();
    let mut here = server.client().logged_in_as("ada");
    let mut there = server.client().logged_in_as("ada");
    let key = own_key(&mut there);
    let answer = here.post("/devices/end", &[("key", &key)]);
    assert_eq!((answer.status, answer.header("location"), answer.set_cookie()), (303, Some("/"), None));
    assert_eq!((here.user().as_deref(), there.user()), (Some("ada"), None));
    assert_eq!(here.post("/devices/end", &[("key", &key)]).status, 404, "it is gone already");
}

#[test]
fn ending_the_current_device_logs_out() {
    let server = Server::in_memory();
    let mut here = server.client().logged_in_as("ada");
    let key = own_key(&mut here);
    let answer = here.post("/devices/end", &[("key", &key)]);
    assert_eq!(answer.status, 303);
    assert!(answer.set_cookie().is_some_and(|set| set.contains("Max-Age=0")));
    assert_eq!(here.user(), None);
}

#[test]
fn the_sessions_of_others_cannot_be_ended() {
    let server = Server::in_memory();
    let mut ada = server.client().logged_in_as("ada");
    let mut bob = server.client().logged_in_as("bob");
    let key = own_key(&mut bob);
    let answer = ada.post("/devices/end", &[("key", &key)]);
    assert_eq!(answer.status, 404, "as if there were none");
    assert_eq!(bob.user().as_deref(), Some("bob"));
}

#[test]
fn all_others_are_ended_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_sqlite(folder.path());
    let mut here = server.client().logged_in_as("ada");
    let mut others: Vec<Client> = (0..3).map(|_| server.client().logged_in_as("ada")).collect();
    let mut bob = server.client().logged_in_as("bob");
    let answer = here.post("/logout-others", &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert_eq!(here.user().as_deref(), Some("ada"));
    assert_eq!(devices(&mut here).len(), 1);
    assert!(others.iter_mut().all(|other| other.user().is_none()));
    assert_eq!(bob.user().as_deref(), Some("bob"));
}
