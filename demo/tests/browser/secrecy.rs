//! Who steals the database or reads the log cannot log in with it.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::support::{Client, Server};

fn id(client: &Client) -> String {
    let cookie = client.cookie.as_deref().unwrap();
    cookie.split_once('=').unwrap().1.split('.').next().unwrap().to_owned()
}

/// Returns the id in every way in which somebody might have written it down.
fn spellings(id: &str) -> Vec<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(id).unwrap();
    assert_eq!(bytes.len(), 24);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let texts = [
        id.to_owned(),
        hex(&bytes),
        hex(&bytes).to_uppercase(),
        hex(id.as_bytes()),
        hex(id.as_bytes()).to_uppercase(),
        STANDARD_NO_PAD.encode(&bytes),
        STANDARD_NO_PAD.encode(id),
        URL_SAFE_NO_PAD.encode(id),
    ];
    texts.into_iter().map(String::into_bytes).chain([bytes]).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Returns all bytes of the database: the file itself and what SQLite keeps beside it.
fn database(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| !path.to_string_lossy().ends_with("-secret"));
    files.flat_map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn neither_the_database_nor_the_log_nor_a_page_holds_an_id() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        crate::support::command().arg("--store").arg(crate::support::sqlite(folder.path())).env("RUST_LOG", "trace"),
    );
    let mut client = server.client();
    client.post("/cart", &[("item", "a cup of tea")]);
    let old = id(&client);
    let mut client = client.logged_in_as("ada");
    let new = id(&client);
    assert_ne!(old, new);

    let page = client.get("/").body;
    let open = database(folder.path());
    let (status, log) = server.stop_with("TERM");
    assert!(status.success(), "{log}");
    let closed = database(folder.path());
    assert!(contains(&open, b"a cup of tea"), "the search finds what is there");
    assert!(contains(&closed, b"a cup of tea"), "the search finds what is there");
    let places = [("open", open), ("closed", closed), ("log", log.into_bytes()), ("page", page.into_bytes())];
    for spelling in [&old, &new].into_iter().flat_map(|id| spellings(id)) {
        for (place, bytes) in &places {
            assert!(!contains(bytes, &spelling), "{place}: {}", String::from_utf8_lossy(&spelling));
        }
    }
}

#[cfg(unix)]
#[test]
fn the_secret_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let _server = Server::on_sqlite(folder.path());
    let metadata = fs::metadata(folder.path().join("demo.sqlite-secret")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_secret_of_the_environment_counts() {
    let folder = tempfile::tempdir().unwrap();
    let start = |secret: &str| {
        let store = crate::support::sqlite(folder.path());
        Server::start(crate::support::command().arg("--store").arg(store).env("SESSION_SECRET", secret))
    };
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let cookie = start(&one).client().logged_in_as("ada").cookie;
    assert!(!folder.path().join("demo.sqlite-secret").exists());
    let user_with = |secret| {
        let server = start(secret);
        let mut client = server.client();
        client.cookie = cookie.clone();
        client.user()
    };
    assert_eq!(user_with(&two), None);
    assert_eq!(user_with(&one).as_deref(), Some("ada"));
}
