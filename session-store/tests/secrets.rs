//! No error shows a password, whatever characters it has and however they are written: neither its text nor its `Debug`, of the error
//! and of all its causes. (The contract's rule of secrets, for what a URL holds.)

use std::error::Error as _;
use std::fmt::Write as _;

/// Nobody listens there.
const HOST: &str = "127.0.0.1:1";

/// What a URL may have before and after the password. The last ones are refused for a reason of their own.
const URLS: &[&str] = &[
    "postgres://user:PASSWORD@HOST/db?timeout_ms=300",
    "postgresql://user:PASSWORD@HOST/db?timeout_ms=300&connect=later&setup=verify&sslmode=disable",
    "mysql://user:PASSWORD@HOST/db?timeout_ms=300",
    "mariadb://user:PASSWORD@HOST/db?timeout_ms=300",
    "redis://user:PASSWORD@HOST/0?timeout_ms=300",
    "valkey://:PASSWORD@HOST/0?timeout_ms=300",
    "rediss://user:PASSWORD@HOST/0?timeout_ms=300",
    "redis+cluster://user:PASSWORD@HOST,HOST?timeout_ms=300",
    "redis+sentinel://user:PASSWORD@HOST,HOST/service?timeout_ms=300",
    "mongodb://user:PASSWORD@HOST/db?timeout_ms=300",
    "mongodb://user:PASSWORD@HOST,HOST/db?timeout_ms=300&authSource=admin",
    "mongodb+srv://user:PASSWORD@host.invalid/db?timeout_ms=300",
    "postgres://user:PASSWORD@HOST/db?nobody_knows=this",
    "mysql://user:PASSWORD@HOST/db?pool=none",
    "redis://user:PASSWORD@HOST/db?timeout_ms=300",
    "mongodb://user:PASSWORD@HOST/db?nobody_knows=this",
    "mongodb://user:PASSWORD@HOST/db?maxPoolSize=none",
    "oracle://user:PASSWORD@HOST/db",
    "POSTGRES://user:PASSWORD@HOST/db?timeout_ms=300",
    "sqlite://user:PASSWORD@HOST/db?setup=on",
    "postgres://user:PASSWORD@[::1/db",
    "postgres//user:PASSWORD@HOST/db",
    "memory://user:PASSWORD@HOST",
];

#[tokio::test]
async fn no_error_shows_a_password() {
    let characters = (b'!'..=b'~').map(char::from).filter(|letter| !letter.is_ascii_alphanumeric());
    let mut tasks = Vec::new();
    for character in characters.chain([' ', 'é', '\u{1F511}', '\n']) {
        let mut encoded = String::new();
        character.to_string().bytes().for_each(|byte| _ = write!(encoded, "%{byte:02X}"));
        for written in [character.to_string(), encoded] {
            for url in URLS {
                let url = url.replace("HOST", HOST).replace("PASSWORD", &format!("Zxq{written}Wvk{written}Jyh"));
                tasks.push(tokio::spawn(async move {
                    let error = session_store::open(&url).await.err()?;
                    let mut said = format!("{error}\n{error:?}\n{error:#?}");
                    let mut cause = error.source();
                    while let Some(error) = cause {
                        _ = write!(said, "\n{error}\n{error:?}\n{error:#?}");
                        cause = error.source();
                    }
                    let said = said.to_lowercase();
                    ["zxq", "wvk", "jyh"].iter().any(|part| said.contains(part)).then_some((url, said))
                }));
            }
        }
    }
    let mut shown = Vec::new();
    for task in tasks {
        shown.extend(task.await.expect("opening does not panic"));
    }
    let urls: Vec<&str> = shown.iter().map(|(url, _)| url.as_str()).collect();
    assert!(shown.is_empty(), "{} urls show a password: {urls:#?}, the first as {}", shown.len(), shown[0].1);
}
