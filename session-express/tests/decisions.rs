//! The decisions of express-session 1.19, recorded from Node and replayed row for row: which calls the store gets, and which
//! cookie the response.
//!
//! How the calls of Node's store map to ours:
//!
//! | Node | here |
//! |---|---|
//! | `generate` | none: an id is made when a session is stored first, so a session that is not stored has none |
//! | `get` of what the cookie presents, and of what is stored | `load` |
//! | `get` of an id that was generated in this request and never stored (`reload`) | none: it is an error without a call |
//! | `set` of an id that is not stored | `create` |
//! | `set` of an id that is stored | `update`, with the revision that was loaded, so that it never brings a session back |
//! | `touch` | `touch` |
//! | `destroy` of an id that is stored | `delete`, before the head is sent |
//! | `destroy` of an id that was generated in this request and never stored | none |

mod support;

use std::time::Duration;

use http::{Request, Response, header};
use serde_json::Value;
use session_core::{Data, Record, Scope, SessionId, SessionIndex, SessionKey, SessionStore, Timestamp};
use session_express::{Express, ExpressCookie, Session, Unset, sign};
use support::Site;

const SECRET: &str = "keyboard cat";
const SEED: &str = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
const MINUTE: Duration = Duration::from_secs(60);

/// Rows that are decided otherwise: incoming cookie, action, options, unset, and the reason. There is none.
const DECIDED_OTHERWISE: [(&str, &str, &str, &str, &str); 0] = [];

/// What came of one request.
#[derive(Debug, PartialEq)]
struct Outcome {
    calls: Vec<&'static str>,
    /// Whose id the cookie has, and whether it has an `Expires`.
    cookie: Option<(Who, bool)>,
    is_seed_live: bool,
    /// How many sessions that began in this request are live.
    begun: u64,
    has_failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Seed,
    New,
}

fn express(options: &str, unset: &str) -> Express {
    let mut express = Express::new([SECRET]).expect("the secret is not empty");
    let mut cookie = ExpressCookie::new();
    for option in options.chars() {
        match option {
            'r' => express = express.without_resave(),
            'u' => express = express.without_save_uninitialized(),
            'L' => express = express.with_rolling(),
            'M' => cookie = cookie.with_max_age(MINUTE),
            'R' | 'U' | 'l' | 'm' => {}
            other => panic!("the test does not know the option {other}"),
        }
    }
    express.with_cookie(cookie).with_unset(if unset == "destroy" { Unset::Destroy } else { Unset::Keep })
}

fn cookie(incoming: &str) -> Option<String> {
    let express = Express::new([SECRET]).expect("the secret is not empty");
    let signed = |id: &str| format!("connect.sid=s:{}", sign(id, express.secrets()));
    match incoming {
        "none" => None,
        "unsigned" => Some(format!("connect.sid={SEED}")),
        "bad_signature" => Some(format!("{}x", signed(SEED))),
        "unknown_sid" => Some(signed("8LlJI2EF_qC4w84Wt3YM0QSazfHY-1jw")),
        "valid" | "expired" => Some(signed(SEED)),
        other => panic!("the test does not know the cookie {other}"),
    }
}

/// Does what the handler of a row did, and says whether it was told of an error.
async fn act(session: &Session, action: &str) -> bool {
    let modify = || session.set("x", &1).expect("a number is JSON");
    match action {
        "noop" => {}
        "modify" => modify(),
        "modify_same_value" => {
            if let Some(base) = session.get::<u32>("base").expect("it is a number") {
                session.set("base", &base).expect("a number is JSON");
            }
        }
        "cookie_maxAge_only" => session.set_max_age(Some(2 * MINUTE)),
        "explicit_touch" => session.touch(),
        "save_then_end" => session.save().await.expect("the store works"),
        "modify_save" | "modify_save_modify" => {
            modify();
            session.save().await.expect("the store works");
            if action == "modify_save_modify" {
                session.set("y", &1).expect("a number is JSON");
            }
        }
        "regenerate" => session.regenerate(),
        "regenerate_modify" => {
            session.regenerate();
            modify();
        }
        "destroy" => session.logout(),
        "null_session" | "delete_session" => session.unset(),
        "reload" => return session.reload().await.is_err(),
        "reload_modify" => {
            let outcome = session.reload().await;
            modify();
            return outcome.is_err();
        }
        other => panic!("the test does not know the action {other}"),
    }
    false
}

async fn run(incoming: &str, action: &str, options: &str, unset: &str) -> Outcome {
    let site = Site::new(express(options, unset));
    let store = site.store.clone();
    let seed = SessionKey::derive("session", &SessionId::parse(SEED).expect("it is an id"));
    let (max_age, expires) =
        if options.contains('M') { ("60000", "\"2026-01-01T12:01:00.000Z\"") } else { ("null", "null") };
    let kept = format!(r#"{{"originalMaxAge":{max_age},"expires":{expires},"httpOnly":true,"path":"/"}}"#);
    let data = format!(r#"{{"cookie":{kept},"base":1}}"#);
    let end = if incoming == "expired" { site.now() } else { site.now().saturating_add(MINUTE) };
    let record = Record::new(Data::parse(data).expect("it is an object"), Timestamp::MIN, end);
    store.create(&seed, &record).await.expect("the key is free");
    store.calls();

    let mut request = Request::builder().uri("/");
    if let Some(cookie) = cookie(incoming) {
        request = request.header(header::COOKIE, cookie);
    }
    let request = request.body(()).expect("the test's request is valid");
    let slot = site.slot_of(&request);
    let has_failed = match action {
        "noop" => false,
        _ => act(&slot.open(request.headers()).await.expect("the store works"), action).await,
    };
    let mut response = Response::new(());
    slot.commit().await.expect("the store works").apply(response.headers_mut());
    let calls = store.calls();
    let is_seed_live = site.is_live(&seed).await;
    let line = response.headers().get(header::SET_COOKIE).map(|line| line.to_str().expect("it is text").to_owned());
    Outcome {
        calls,
        cookie: line.map(|line| {
            let who = if line.starts_with(&format!("connect.sid=s%3A{SEED}.")) { Who::Seed } else { Who::New };
            (who, line.contains("; Expires="))
        }),
        is_seed_live,
        begun: store.inner.count(Scope::All).await.expect("it counts") - u64::from(is_seed_live),
        has_failed,
    }
}

/// Translates what was recorded, as the table above says.
fn expected(row: &[Value]) -> Outcome {
    let mut is_stored = row[0] == "valid";
    let mut is_generated = false;
    let mut calls = Vec::new();
    for call in row[4].as_str().expect("a row has calls").split('>') {
        match call {
            "generate" => (is_stored, is_generated) = (false, true),
            "get" if is_generated && !is_stored => {}
            "get" => calls.push("load"),
            "set" if is_stored => calls.push("update"),
            "set" => {
                calls.push("create");
                is_stored = true;
            }
            "touch" => calls.push("touch"),
            "destroy" if is_stored => calls.push("delete"),
            "destroy" => {}
            other => panic!("the test does not know the call {other}"),
        }
    }
    let keys = row[6].as_str().expect("a row has keys");
    let is_seed_live = keys.contains("SEED");
    Outcome {
        calls,
        cookie: row[5].as_str().map(|cookie| {
            let who = if cookie.starts_with("SEED") { Who::Seed } else { Who::New };
            (who, cookie.ends_with("+expires"))
        }),
        is_seed_live,
        begun: keys.matches("GEN").count() as u64,
        has_failed: !row[7].is_null(),
    }
}

#[tokio::test]
async fn every_row_is_decided_as_express_does() {
    let recorded: Value =
        serde_json::from_str(include_str!("recorded/decision-matrix.json")).expect("the recording is JSON");
    let rows = recorded["rows"].as_array().expect("the recording has rows");
    assert!(rows.len() >= 816);
    let mut wrong = Vec::new();
    for row in rows {
        let row = row.as_array().expect("a row is a list");
        let [incoming, action, options, unset] = [0, 1, 2, 3].map(|column| row[column].as_str().unwrap_or_default());
        let outcome = run(incoming, action, options, unset).await;
        let mut exceptions = DECIDED_OTHERWISE.iter();
        let is_exception = exceptions.any(|(i, a, o, u, _)| (*i, *a, *o, *u) == (incoming, action, options, unset));
        let expected = expected(row);
        if (outcome == expected) == is_exception {
            wrong.push(format!("{incoming} {action} {options} {unset}\n  {expected:?}\n  {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
