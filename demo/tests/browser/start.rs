//! The program before and after its requests: options, files, signals.

use std::process::Output;

use crate::support::{Server, command, sqlite};

fn run(arguments: &[&str]) -> (Output, String, String) {
    let output = command().args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let texts = (out.into_owned(), err.into_owned());
    (output, texts.0, texts.1)
}

#[test]
fn help_tells_the_options() {
    let (output, out, err) = run(&["--help"]);
    assert!(output.status.success() && err.is_empty());
    assert!(
        out.contains("--store URL") && out.contains("--addr") && out.contains("memory:") && out.contains("sqlite:FILE")
    );
}

#[test]
fn what_is_not_understood_ends_the_program_with_the_usage() {
    for arguments in [&["--port", "80"][..], &["serve"], &["--store"], &["--addr", "nowhere"]] {
        let (output, out, err) = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(out.is_empty() && err.contains("Usage: demo"), "{err}");
    }
}

#[test]
fn an_unknown_store_is_refused_by_naming_those_that_exist() {
    for url in [
        "oracle://user:hunter2@localhost",
        "demo.sqlite",
        "memory",
        "memory:x",
        "sqlite:",
        "file://",
        "redis://h?x=hunter2",
    ] {
        let (output, _, err) = run(&["--store", url]);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains("Stores: memory:, sqlite:FILE, file:FOLDER"), "{err}");
        assert!(!err.contains("hunter2"), "a store's address may hold a password: {err}");
    }
}

#[test]
fn a_variable_that_is_not_understood_ends_the_program() {
    for (name, value) in [("RUST_LOG", "loud=very"), ("SESSION_SECRET", "short")] {
        let output = command().args(["--store", "memory:", "--addr", "127.0.0.1:0"]).env(name, value).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains(name) && !err.contains(value), "{err}");
    }
}

#[test]
fn what_cannot_be_opened_is_said() {
    let (output, _, err) = run(&["--store", "sqlite:/nowhere/at/all.sqlite", "--addr", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("sqlite"), "{err}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (output, _, err) = run(&["--store", "memory:", "--addr", &address]);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains(&address), "{err}");
}

#[test]
fn the_environment_chooses_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(command().env("SESSION_STORE", sqlite(folder.path())));
    server.client().logged_in_as("ada");
    assert!(folder.path().join("demo.sqlite").exists());
}

#[test]
fn the_default_is_a_file_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(command().current_dir(folder.path()));
    assert!(folder.path().join("demo.sqlite").exists());
    assert!(server.stop_with("INT").0.success());
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::on_sqlite(folder.path());
        server.client().logged_in_as("ada");
        let (status, log) = server.stop_with(signal);
        assert!(status.success(), "{signal}: {log}");
        // A closed SQLite database has no log beside it.
        assert!(!folder.path().join("demo.sqlite-wal").exists(), "{signal}");
    }
}

#[test]
fn on_other_addresses_the_cookie_is_secure_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_on(command().arg("--store").arg(sqlite(folder.path())), "0.0.0.0:0");
    server.wait_for_log("HTTPS");
    let answer = server.client().post("/login", &[("user", "ada")]);
    let cookie = answer.set_cookie().unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
}
