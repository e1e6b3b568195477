//! What is typed wrongly is refused with a page that says so, and changes nothing.

use crate::support::{Client, Server};

fn refused(client: &mut Client, path: &str, form: &[(&str, &str)], status: u16, words: &str) {
    let answer = client.post(path, form);
    assert_eq!(answer.status, status, "{path} {form:?}");
    assert!(answer.body.contains(words), "{path} {form:?}: {}", answer.body);
    assert!(answer.body.contains("<h1") && answer.body.contains("href=\"/\""), "it is a page that leads back");
    assert_eq!(answer.set_cookie(), None);
}

#[test]
fn a_user_name_is_needed_and_short() {
    let server = Server::in_memory();
    let mut client = server.client();
    for form in [&[][..], &[("user", "")], &[("user", "   ")], &[("usr", "ada")]] {
        refused(&mut client, "/login", form, 422, "user name");
    }
    refused(&mut client, "/login", &[("user", &"a".repeat(65))], 422, "at most 64");
    refused(&mut client, "/login", &[("user", "a\nb")], 422, "control characters");
    refused(&mut client, "/login", &[("user", "a"), ("user", "b")], 422, "could not be read");
    assert_eq!(client.user(), None);
}

#[test]
fn an_item_is_needed_and_short_and_a_delay_is_a_number() {
    let server = Server::in_memory();
    let mut client = server.client();
    for form in [&[][..], &[("item", "")], &[("item", " \t")], &[("delay_ms", "5")]] {
        refused(&mut client, "/cart", form, 422, "put into the cart");
    }
    refused(&mut client, "/cart", &[("item", &"x".repeat(81))], 422, "at most 80");
    for delay in ["5001", "-1", "soon", "1.5", "9999999999999999999999"] {
        refused(&mut client, "/cart", &[("item", "tea"), ("delay_ms", delay)], 422, "0 to 5000");
    }
    assert!(client.cart().is_empty());
    assert_eq!(client.post("/cart", &[("item", "tea"), ("delay_ms", "")]).status, 303);
    assert_eq!(client.cart(), ["tea"]);
}

#[test]
fn a_cart_has_an_end() {
    let server = Server::in_memory();
    let mut client = server.client();
    let mut add = |number: usize| client.post("/cart", &[("item", &format!("{number}"))]).status;
    assert!((0..500).all(|number| add(number) == 303));
    refused(&mut client, "/cart", &[("item", "one more")], 422, "full");
    assert_eq!(client.cart().len(), 500);
}

#[test]
fn devices_are_for_those_who_are_logged_in() {
    let server = Server::in_memory();
    let mut client = server.client();
    client.post("/cart", &[("item", "tea")]);
    refused(&mut client, "/devices/end", &[("key", "abc")], 403, "Log in first");
    refused(&mut client, "/logout-others", &[], 403, "Log in first");
    let mut client = client.logged_in_as("ada");
    for form in [&[][..], &[("key", "")], &[("key", "a b")], &[("key", "ä")]] {
        refused(&mut client, "/devices/end", form, 422, "not the key");
    }
    refused(&mut client, "/devices/end", &[("key", "abc")], 404, "None of your sessions");
}

#[test]
fn what_is_no_form_is_refused() {
    let server = Server::in_memory();
    let mut client = server.client();
    let large = "x".repeat(100_000);
    refused(&mut client, "/login", &[("user", &large)], 413, "could not be read");
    let json = client.post_with("/login", &[("user", "ada")], &[("content-type", "application/json")]);
    assert_eq!(json.status, 415);
    assert_eq!(client.user(), None);
}

#[test]
fn there_is_nothing_at_other_addresses() {
    let server = Server::in_memory();
    let mut client = server.client();
    refused(&mut client, "/nowhere", &[], 404, "nothing at this address");
    let answer = client.get("/login");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert!(answer.body.contains("does not take such a request"));
}

#[test]
fn what_people_type_is_text() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("<b onclick='x'>\"&");
    client.post("/cart", &[("item", "</pre><script>alert(1)</script>")]);
    let page = client.get("/").body;
    assert!(page.contains("&lt;b onclick='x'&gt;&quot;&amp;"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<b "), "{page}");
    assert_eq!(client.user().as_deref(), Some("<b onclick='x'>\"&"));
}
