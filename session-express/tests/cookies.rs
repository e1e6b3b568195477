//! The cookies of express-session 1.19, recorded from Node and replayed: lines, signatures, and what a request's cookies say.

#[path = "recorded/options.rs"]
mod options;

use std::sync::Arc;

use http::{HeaderMap, Request, Response, header};
use options::text;
use serde_json::Value;
use session_core::{ManualClock, SessionId, SessionKey, SessionStore, Timestamp};
use session_express::{Express, InvalidCookie, Secrets, SessionSlot, sign, unsign};
use session_store_memory::MemoryStore;

fn recorded() -> Value {
    serde_json::from_str(include_str!("recorded/cookies.json")).expect("the recording is JSON")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    options::list(&value[name])
}

/// Runs the one request of a case and returns its cookies and what is stored.
async fn run(case: &Value, sid: &str) -> Result<(Vec<String>, String), InvalidCookie> {
    let options = &case["options"];
    let clock = Arc::new(ManualClock::new(options::at(options::NOW)));
    // The case with an age of 0 ends at once, so the store looks at an earlier time.
    let earlier = Arc::new(ManualClock::new(Timestamp::MIN));
    let store = Arc::new(MemoryStore::new().with_clock(earlier));
    let sid = SessionId::foreign(sid).expect("it is short");
    let key = SessionKey::derive("session", &sid);
    let config = options::express(options)?.config(store.clone())?.with_clock(clock);
    let config = config.with_new_id(move || Ok(sid.clone()));
    let path = options["cookie"]["path"].as_str().unwrap_or("/");
    let mut request = Request::builder().uri(path);
    for (name, value) in options["headers"].as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    let request = request.body(()).expect("the test's request is valid");
    let mut response = Response::new(());
    SessionSlot::for_request(config, &request).commit().await.expect("the store works").apply(response.headers_mut());
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    let lines = lines.map(|line| line.to_str().expect("it is text").to_owned()).collect();
    let (record, _) = store.load(&key).await.expect("it works").expect("the session is stored");
    Ok((lines, record.data.as_str().to_owned()))
}

/// Says whether an option has a value that says nothing, or a word that is written one way here: it is stored as that.
fn is_said_otherwise(options: &Value) -> bool {
    options["cookie"].as_object().into_iter().flatten().any(|(name, value)| match (name.as_str(), value) {
        ("maxAge" | "expires", value) => *value == false || *value == "<undefined>",
        ("sameSite", Value::Bool(is_strict)) => *is_strict,
        ("sameSite" | "priority", Value::String(word)) => *word != word.to_ascii_lowercase(),
        _ => false,
    })
}

#[tokio::test]
async fn every_line_is_the_one_of_express_byte_for_byte() {
    let recorded = recorded();
    let cases = list(&recorded, "set_cookie_cases");
    assert!(cases.len() >= 29);
    for case in cases {
        let name = text(&case["name"]);
        let sid = if name == "genid_weird" { "a b/c+d=e.f%g;h\"ü🦀!~*'()" } else { text(&recorded["sid"]) };
        let outcome = run(case, sid).await;
        if case["error"].is_string() {
            // Express throws at each response and sends it without the cookie; here the configuration does not build.
            assert!(outcome.is_err() && case["set_cookie"].is_null(), "{name}");
            continue;
        }
        let (lines, stored) = outcome.expect("Express accepts the options, so they build");
        let expected: Vec<_> = list(case, "set_cookie").iter().map(text).collect();
        assert_eq!(lines, expected, "{name}");
        let theirs = text(&case["stored"]);
        if is_said_otherwise(&case["options"]) {
            let said = |data| options::as_said(options::parts(data).0);
            assert!(said(&stored) == said(theirs) && stored != theirs, "{name}: {stored}");
        } else {
            assert_eq!(stored, theirs, "{name}");
        }
    }
}

#[test]
fn signatures_are_those_of_cookie_signature() {
    let recorded = recorded();
    let secrets = |secret: &Value| of_express(&[text(secret)]);
    for case in list(&recorded, "sign") {
        let signed = text(&case["signed"]);
        assert_eq!(sign(text(&case["value"]), &secrets(&case["secret"])), signed);
        assert_eq!(unsign(signed, &secrets(&case["secret"])), case["value"].as_str());
    }
    for case in list(&recorded, "unsign") {
        assert_eq!(unsign(text(&case["input"]), &secrets(&case["secret"])), case["result"].as_str(), "{case}");
    }
    for uid in list(&recorded, "uid") {
        assert!(SessionId::parse(text(uid)).is_ok());
    }
}

fn of_express(list: &[&str]) -> Secrets {
    Express::new(list).expect("no secret is empty").secrets().clone()
}

/// Returns the id that a request's cookies look up: the only one of the candidates under whose key the store is asked.
async fn looks_up(cookies: &[&[u8]], secrets: &[&str], candidate: &str) -> bool {
    let store = Arc::new(MemoryStore::new());
    let id = SessionId::foreign(candidate).expect("it is short");
    let express = Express::new(secrets).expect("no secret is empty").without_save_uninitialized();
    let config = express.config(store.clone()).expect("the defaults build");
    let record = session_core::Record::new(
        session_core::Data::parse(r#"{"seen":1}"#).expect("it is an object"),
        Timestamp::MIN,
        Timestamp::MAX,
    );
    store.create(&SessionKey::derive("session", &id), &record).await.expect("the key is free");
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(header::COOKIE, http::HeaderValue::from_bytes(cookie).expect("the test's header is valid"));
    }
    let session = SessionSlot::new(config).open(&headers).await.expect("the store works");
    session.get::<u8>("seen").expect("it is a number").is_some()
}

#[tokio::test]
async fn the_cookies_of_a_request_are_read_as_express_does() {
    let recorded = recorded();
    for case in list(&recorded, "request_cookie_cases") {
        let secrets: Vec<_> = list(case, "secrets").iter().map(text).collect();
        let sid = case["sid_looked_up"].as_str();
        let candidate = sid.unwrap_or(text(&recorded["sid"]));
        let header = text(&case["cookie_header"]).as_bytes();
        assert_eq!(looks_up(&[header], &secrets, candidate).await, sid.is_some(), "{case}");
    }
}

#[tokio::test]
async fn more_cookies_are_read_as_express_does() {
    let secrets = ["keyboard cat", "nyan cat"];
    let both = of_express(&secrets);
    let value = |id: &str, secret: &str| format!("s:{}", sign(id, &of_express(&[secret])));
    let good = value("sid0", "keyboard cat");
    let long = "x".repeat(2000);
    for (cookies, id, is_found) in [
        (vec![format!("connect.sid={}", value("a.b.c", "nyan cat"))], "a.b.c", true),
        (vec![format!("connect.sid=\"{good}\"")], "sid0", true),
        (vec![format!("connect.sid={}", good.replace("s:", "s%3a"))], "sid0", true),
        (vec![format!("connect.sid=garbage; connect.sid={good}")], "sid0", false),
        (vec![format!("connect.sid={good}; connect.sid=garbage")], "sid0", true),
        (vec!["a=1".to_owned(), format!("connect.sid={good}"), "connect.sid=x".to_owned()], "sid0", true),
        (vec![format!("Connect.sid={good}")], "sid0", false),
        (vec![format!("connect.sid={}", good.replace("s:", "S:"))], "sid0", false),
        (vec![format!("connect.sid={}", good.replace("s:", ""))], "sid0", false),
        (vec![format!("connect.sid={good}=")], "sid0", false),
        (vec![format!("connect.sid=s:{}", sign("%41", &both))], "%41", false),
        (vec![format!("connect.sid=s:{}", sign("100%", &both))], "100%", true),
        (vec![format!("connect.sid=s%3A%E6%97%A5{}", sign("日", &both).trim_start_matches('日'))], "日", true),
        (vec![format!("connect.sid={}", value(&long, "keyboard cat"))], &long, true),
    ] {
        let lines: Vec<_> = cookies.iter().map(String::as_bytes).collect();
        assert_eq!(looks_up(&lines, &secrets, id).await, is_found, "{cookies:?}");
    }
    let raw = format!("connect.sid={}", value("日", "keyboard cat"));
    assert!(!looks_up(&[raw.as_bytes()], &secrets, "日").await, "Node reads the header's bytes as Latin-1");
}
