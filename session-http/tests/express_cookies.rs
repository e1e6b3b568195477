//! The cookies of express-session 1.19, recorded from Node and replayed: lines, signatures, and what a request's cookies say.

mod support;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, header};
use serde_json::Value;
use session_core::{ManualClock, SessionId, SessionKey, SessionStore, Timestamp};
use session_http::express::{Express, ExpressCookie, Proxy, SameSitePolicy, SecurePolicy, sign, unsign};
use session_http::{InvalidCookie, Priority, Secrets, SessionConfig, SessionSlot};
use session_store_memory::MemoryStore;

fn recorded() -> Value {
    serde_json::from_str(include_str!("express/cookies.json")).expect("the recording is JSON")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).expect("the recording has the list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the recording has a text here")
}

fn instant(iso: &str) -> Timestamp {
    let instants = [("2026-01-02T03:04:05.678Z", 1_767_323_045_678), ("2030-01-01T00:00:00.000Z", 1_893_456_000_000)];
    let (_, millis) = instants.iter().find(|(known, _)| *known == iso).expect("the test knows this instant");
    Timestamp::from_unix_millis(*millis).expect("it is in range")
}

/// Translates the options of a case; refuses what Express throws at.
fn cookie(options: &Value) -> Result<ExpressCookie, InvalidCookie> {
    let mut cookie = ExpressCookie::new();
    for (name, value) in options.as_object().into_iter().flatten() {
        cookie = match (name.as_str(), value) {
            ("maxAge", Value::Number(millis)) => {
                let millis = millis.as_f64().expect("an age is a number");
                cookie.with_max_age(Duration::from_secs_f64(millis / 1000.0))
            }
            ("expires", Value::String(iso)) => cookie.with_expires(instant(iso)),
            ("domain", Value::String(domain)) => cookie.with_domain(domain.as_str()),
            ("path", Value::String(path)) => cookie.with_path(path.as_str()),
            ("httpOnly", Value::Bool(false)) => cookie.without_http_only(),
            ("secure", Value::Bool(true)) => cookie.with_secure(SecurePolicy::Always),
            ("secure", Value::String(_)) => cookie.with_secure(SecurePolicy::Auto),
            ("sameSite", Value::Bool(true)) => {
                cookie.with_same_site(SameSitePolicy::Is(session_http::SameSite::Strict))
            }
            ("sameSite", Value::String(auto)) if auto == "auto" => cookie.with_same_site(SameSitePolicy::Auto),
            ("sameSite", Value::String(word)) => cookie.with_same_site(SameSitePolicy::Is(word.parse()?)),
            ("partitioned", Value::Bool(true)) => cookie.with_partitioning(),
            ("priority", Value::String(word)) => cookie.with_priority(word.parse::<Priority>()?),
            // What says the same as nothing.
            ("maxAge" | "expires" | "sameSite" | "httpOnly" | "foo", _) => cookie,
            other => panic!("the test does not know the option {other:?}"),
        };
    }
    Ok(cookie)
}

fn express(options: &Value) -> Result<Express, InvalidCookie> {
    let secrets: Vec<&str> = match &options["secret"] {
        Value::Null => vec!["keyboard cat"],
        Value::Array(secrets) => secrets.iter().map(text).collect(),
        secret => vec![text(secret)],
    };
    let mut express = Express::new(secrets).expect("no secret is empty").with_cookie(cookie(&options["cookie"])?);
    if let Value::String(name) = &options["name"] {
        express = express.with_name(name);
    }
    if options["proxy"] == true {
        express = express.with_proxy(Proxy::Trusted);
    }
    Ok(express)
}

/// Runs the one request of a case and returns its cookies and what is stored.
async fn run(case: &Value, sid: &str) -> Result<(Vec<String>, String), InvalidCookie> {
    let options = &case["options"];
    let clock = Arc::new(ManualClock::new(instant("2026-01-02T03:04:05.678Z")));
    // The case with an age of 0 ends at once, so the store looks at an earlier time.
    let earlier = Arc::new(ManualClock::new(Timestamp::MIN));
    let store = Arc::new(MemoryStore::new().with_clock(earlier));
    let sid = SessionId::foreign(sid).expect("it is short");
    let key = SessionKey::derive("session", &sid);
    let config = SessionConfig::express(store.clone(), express(options)?)?.with_clock(clock);
    let config = Arc::new(config.with_new_id(move || Ok(sid.clone())));
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

/// What is stored otherwise, and why. The line in the response is the same in all of them.
const STORED_OTHERWISE: [(&str, &str); 4] = [
    ("maxAge_undefined", "there is no undefined here: the age is null, as without the option"),
    ("maxAge_false_like", "there is no date that is false here: the age is null, as without the option"),
    ("sameSite_true", "a value of a type is written one way: `strict`"),
    ("sameSite_Lax_caps", "a value of a type is written one way: `lax`"),
];

/// Saying no to `sameSite` and saying nothing are the same here.
const STORED_WITHOUT: [(&str, &str); 1] = [("sameSite_false", ",\"sameSite\":false")];

#[tokio::test]
async fn every_line_is_the_one_of_express_byte_for_byte() {
    let recorded = recorded();
    for case in list(&recorded, "set_cookie_cases") {
        let name = text(&case["name"]);
        let sid = if name == "genid_weird" { "a b/c+d=e.f%g;h\"ü🦀!~*'()" } else { text(&recorded["sid"]) };
        let outcome = run(case, sid).await;
        if case["set_cookie"].is_null() {
            // Express throws at each response and sends it without the cookie; here the configuration does not build.
            assert!(outcome.is_err(), "{name}");
            continue;
        }
        let (lines, stored) = outcome.expect("Express accepts the options, so they build");
        let expected: Vec<_> = list(case, "set_cookie").iter().map(text).collect();
        assert_eq!(lines, expected, "{name}");
        let mut as_express = text(&case["stored"]).to_owned();
        if let Some((_, surplus)) = STORED_WITHOUT.iter().find(|(known, _)| *known == name) {
            as_express = as_express.replace(surplus, "");
        }
        let is_otherwise = STORED_OTHERWISE.iter().any(|(known, _)| *known == name);
        assert_eq!(stored != as_express, is_otherwise, "{name}: {stored}");
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
    let config = Arc::new(SessionConfig::express(store.clone(), express).expect("the defaults build"));
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
