//! Express itself, running: the cases that are recorded and random ones, and each other's cookies.
//!
//! `scripts/servers express` starts it and says where it is in `SESSION_TEST_EXPRESS_URL`. Without it the tests are ignored, and
//! fail where `CI` is set, on Linux: elsewhere nothing starts it. `SESSION_TEST_EXPRESS_SEED` makes the random cases of an earlier
//! run again.

#[path = "recorded/replay.rs"]
mod replay;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, Request, Response, header};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use session_core::{Data, Record, SessionId, SessionKey, SessionStore, Timestamp};
use session_express::{Express, SessionSlot, Sessions, unsign};
use session_store_memory::MemoryStore;

const VARIABLE: &str = "SESSION_TEST_EXPRESS_URL";
const LISTS: [&str; 11] = [
    "cookies",
    "proxies",
    "presented",
    "paths",
    "kept",
    "values",
    "ownCookies",
    "signatures",
    "ends",
    "returns",
    "grid",
];

fn main() -> ExitCode {
    let url = std::env::var(VARIABLE).ok();
    let absence = format!("{VARIABLE} names no server; scripts/servers express starts one");
    let trial = |name: String, run: fn(&str, &str) -> Result<(), Failed>, argument: &'static str| {
        let (url, absence) = (url.clone(), absence.clone());
        let (kind, is_absent) = (if url.is_none() { absence.clone() } else { String::new() }, url.is_none());
        Trial::test(name, move || run(&url.ok_or(absence)?, argument))
            .with_kind(kind)
            .with_ignored_flag(is_absent && (std::env::var_os("CI").is_none() || cfg!(not(target_os = "linux"))))
    };
    let mut trials: Vec<_> = LISTS.map(|list| trial(format!("list_{list}"), replays_list, list)).into();
    trials.push(trial("random_cases".into(), replays_random, "random"));
    trials.push(trial("random_series".into(), replays_random, "series"));
    trials.push(trial("express_accepts_our_cookie".into(), express_accepts_ours, ""));
    trials.push(trial("we_accept_the_cookie_of_express".into(), we_accept_theirs, ""));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Has cases run by Express; returns them with what came of them.
fn ask(url: &str, wish: &Value) -> Result<Vec<(Value, Value)>, Failed> {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address)?;
    let body = wish.to_string();
    write!(connection, "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the server hung up")?;
    if !head.contains(" 200 ") {
        return Err(body.into());
    }
    Ok(serde_json::from_str(body)?)
}

fn replay_all(cases: &[(Value, Value)]) -> Result<(), Failed> {
    let different: Vec<_> = block_on(async {
        let mut different = Vec::new();
        for (input, theirs) in cases {
            if let Err(difference) = replay::compare(input, theirs).await {
                different.push(format!("{input}\n  {difference}"));
            }
        }
        different
    });
    let shown = different.iter().take(200).map(String::as_str).collect::<Vec<_>>().join("\n");
    if different.is_empty() { Ok(()) } else { Err(format!("{} of {}:\n{shown}", different.len(), cases.len()).into()) }
}

fn replays_list(url: &str, list: &str) -> Result<(), Failed> {
    replay_all(&ask(url, &json!({ "list": list }))?)
}

fn replays_random(url: &str, kind: &str) -> Result<(), Failed> {
    let seed = match std::env::var("SESSION_TEST_EXPRESS_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => SystemTime::UNIX_EPOCH.elapsed()?.subsec_nanos(),
    };
    let cases = ask(url, &json!({ kind: { "seed": seed, "count": if kind == "series" { 500 } else { 2000 } } }))?;
    replay_all(&cases).map_err(|failed| format!("seed {seed}: {}", failed.message().unwrap_or_default()).into())
}

fn sessions(store: &Arc<MemoryStore>) -> Sessions {
    let express = Express::new(["clé", "keyboard cat"]).expect("they are not empty").without_resave();
    express.config(store.clone()).expect("the options build").into()
}

/// A session that began here is presented to Express, which has it in its store.
fn express_accepts_ours(url: &str, _: &str) -> Result<(), Failed> {
    let store = Arc::new(MemoryStore::new());
    let sessions = sessions(&store);
    let line = block_on(async {
        let slot = SessionSlot::for_request(sessions, &Request::new(()));
        slot.open(&HeaderMap::new()).await?.set("n", &1)?;
        let mut response = Response::new(());
        slot.commit().await?.apply(response.headers_mut());
        Ok::<_, session_express::Error>(response.headers()[header::SET_COOKIE].clone())
    })?;
    let cookie = line.to_str()?.split(';').next().ok_or("it has a value")?;
    let encoded = cookie.strip_prefix("connect.sid=s%3A").ok_or("it is signed")?;
    let id = encoded.split('.').next().ok_or("it has an id")?;
    let input = json!({
        "options": { "secret": ["clé", "keyboard cat"] }, "cookies": [cookie], "id": id,
        "stored": r#"{"cookie":{"originalMaxAge":null,"expires":null},"n":1}"#, "actions": [["set", "seen", "true"]],
    });
    let (_, outcome) = ask(url, &json!({ "inputs": [input] }))?.remove(0);
    let stored: Value = serde_json::from_str(outcome["stored"][id].as_str().ok_or("it knows the id")?)?;
    let calls = json!([format!("get {id}"), format!("set {id}")]);
    if outcome["calls"] == calls && stored["n"] == 1 && stored["seen"] == true { Ok(()) } else { Err("refused".into()) }
}

/// A session that began in Express, whose data is in our store, is presented here.
fn we_accept_theirs(url: &str, _: &str) -> Result<(), Failed> {
    for secret in ["clé", "keyboard cat"] {
        let input = json!({ "options": { "secret": secret }, "genid": null, "actions": [["set", "n", "1"]] });
        let (_, outcome) = ask(url, &json!({ "inputs": [input] }))?.remove(0);
        let line = outcome["set_cookie"][0].as_str().ok_or("it sets a cookie")?;
        let cookie = line.split(';').next().ok_or("it has a value")?;
        let (id, data) = outcome["stored"].as_object().and_then(|stored| stored.iter().next()).ok_or("it is stored")?;
        let store = Arc::new(MemoryStore::new());
        let sessions = sessions(&store);
        let read = block_on(async {
            let key = SessionKey::derive("session", &SessionId::parse(id)?);
            let data = Data::parse(data.as_str().unwrap_or_default())?;
            store.create(&key, &Record::new(data, Timestamp::MIN, Timestamp::MAX)).await?;
            let request = Request::builder().header(header::COOKIE, cookie).body(())?;
            let slot = SessionSlot::for_request(sessions, &request);
            Ok::<_, session_core::BoxError>(slot.open(&HeaderMap::new()).await?.get::<u8>("n")?)
        });
        let signature = line.split("s%3A").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
        let plain = signature.replace("%2F", "/").replace("%2B", "+");
        let known = Express::new([secret])?;
        if read.map_err(|error| error.to_string())? != Some(1) || unsign(&plain, known.secrets()) != Some(id) {
            return Err(format!("{line} is refused").into());
        }
    }
    Ok(())
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("the test machine has threads").block_on(future)
}
