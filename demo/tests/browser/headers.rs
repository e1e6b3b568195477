//! What every response says to the browser, and which forms are refused.

use crate::support::Server;

#[test]
fn every_response_is_locked_down() {
    let server = Server::in_memory();
    let mut client = server.client().logged_in_as("ada");
    let answers = [client.get("/"), client.get("/nowhere"), client.get("/api/session"), client.post("/cart", &[])];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_form_of_another_site_is_refused() {
    let server = Server::in_memory();
    let mut client = server.client();
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let answer = client.post_with("/login", &[("user", "eve")], &[(name, value)]);
        assert_eq!((answer.status, answer.set_cookie()), (403, None), "{name}");
    }
    assert_eq!(client.post_with("/login", &[("user", "ada")], &[("sec-fetch-site", "same-origin")]).status, 303);
}
