//! Requests of one session that run at once.

use std::thread;

use crate::support::{Client, Server};

fn add_at_once(client: &Client, count: usize, delay: &str) -> Vec<String> {
    let add = |number: usize| {
        let (mut tab, delay) = (client.clone(), delay.to_owned());
        move || {
            let answer = tab.post("/cart", &[("item", &format!("item {number:02}")), ("delay_ms", &delay)]);
            assert_eq!((answer.status, answer.set_cookie()), (303, None), "{}", answer.body);
        }
    };
    let tabs: Vec<_> = (0..count).map(|number| thread::spawn(add(number))).collect();
    tabs.into_iter().for_each(|tab| tab.join().unwrap());
    (0..count).map(|number| format!("item {number:02}")).collect()
}

#[test]
fn twenty_tabs_at_once_lose_nothing_on_disk() {
    for start in [Server::on_sqlite, Server::on_files] {
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path());
        let mut client = server.client().logged_in_as("ada");
        let expected = add_at_once(&client, 20, "0");
        assert_eq!(client.cart(), expected);
    }
}

#[test]
fn twenty_tabs_that_think_between_reading_and_writing_lose_nothing() {
    for delay in ["0", "300"] {
        let server = Server::in_memory();
        let mut client = server.client().logged_in_as("ada");
        let expected = add_at_once(&client, 20, delay);
        assert_eq!(client.cart(), expected);
    }
}

#[test]
fn sixty_tabs_at_once_do_not_overfill_the_cart() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    add_at_once(&client, 15, "0");
    (15..495).for_each(|number| assert_eq!(client.post("/cart", &[("item", &number.to_string())]).status, 303));
    let add = |number: usize| {
        let mut tab = client.clone();
        move || tab.post("/cart", &[("item", &format!("late {number}")), ("delay_ms", "300")]).status
    };
    let tabs: Vec<_> = (0..60).map(|number| thread::spawn(add(number))).collect();
    let answers: Vec<_> = tabs.into_iter().map(|tab| tab.join().unwrap()).collect();
    let with = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((with(303), with(422)), (5, 55), "{answers:?}");
    assert_eq!(client.cart().len(), 500);
}

#[test]
fn a_logout_under_a_slow_request_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_sqlite(folder.path());
    let mut client = server.client().logged_in_as("ada");
    let mut tab = client.clone();
    let slow = thread::spawn(move || (tab.post("/cart", &[("item", "late"), ("delay_ms", "3000")]), tab));
    // Now the slow request has read the session and thinks.
    server.wait_for_log("thinks for 3000 ms");
    let mut stolen = client.clone();
    assert_eq!(client.post("/logout", &[]).status, 303);
    assert!(!slow.is_finished(), "the logout came too late to prove anything");

    let (answer, mut tab) = slow.join().unwrap();
    assert_eq!((answer.status, answer.set_cookie()), (409, None));
    assert!(answer.body.contains("nothing was changed"), "{}", answer.body);
    assert_eq!((tab.user(), tab.cart().len()), (None, 0));
    assert_eq!(stolen.user(), None);
    let mut again = server.client().logged_in_as("ada");
    assert_eq!(again.session()["devices"].as_array().map(Vec::len), Some(1), "nothing came back");
}

#[test]
fn a_login_under_a_slow_request_stays() {
    let server = Server::in_memory();
    let mut client = server.client();
    client.post("/cart", &[("item", "tea")]);
    let mut tab = client.clone();
    let slow = thread::spawn(move || (tab.post("/cart", &[("item", "late"), ("delay_ms", "3000")]), tab));
    server.wait_for_log("thinks for 3000 ms");
    let mut client = client.logged_in_as("ada");
    assert!(!slow.is_finished(), "the login came too late to prove anything");

    let (answer, mut tab) = slow.join().unwrap();
    assert_eq!((answer.status, answer.set_cookie()), (409, None), "the cookie of the login is left alone");
    assert_eq!((tab.user(), tab.cart().len()), (None, 0), "the old id stays dead");
    assert_eq!((client.user().as_deref(), client.cart()), (Some("ada"), vec!["tea".to_owned()]));
}

#[test]
fn a_slow_request_is_answered_before_the_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_sqlite(folder.path());
    let mut client = server.client().logged_in_as("ada");
    let cookie = client.cookie.clone();
    let slow = thread::spawn(move || client.post("/cart", &[("item", "late"), ("delay_ms", "1000")]));
    server.wait_for_log("thinks for 1000 ms");
    let (status, log) = server.stop_with("INT");
    assert!(status.success(), "{log}");
    assert_eq!(slow.join().unwrap().status, 303);

    let server = Server::on_sqlite(folder.path());
    let mut client = server.client();
    client.cookie = cookie;
    assert_eq!(client.cart(), ["late"]);
}
