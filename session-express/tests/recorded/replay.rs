//! Runs a case that was run against Express, and compares what comes of it. What a case and its outcome look like is in
//! `tests/node/README.md`.

#[path = "options.rs"]
pub(crate) mod options;
#[path = "series.rs"]
mod series;
#[path = "../support/store.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Response, header};
use options::{NOW, as_said, at, end_of, express, list, parts, text, with_attributes};
use serde_json::Value;
use serde_json::value::RawValue;
use session_core::{Data, ManualClock, Record, SessionId, SessionStore, Timestamp};
use session_express::{Express, ExpressSession, InvalidCookie, SecureByProxy, Session, SessionSlot, sign, unsign};
use session_store_memory::MemoryStore;
use store::{WatchedStore, key_of};

/// The id of the session that is stored before the request.
const SEED: &str = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
/// How long a session without an age is kept.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What came of a case.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    has_session: bool,
    set_cookie: Vec<String>,
    told: Vec<String>,
    /// The calls for each id, in their order.
    calls: BTreeMap<String, Vec<&'static str>>,
    /// What is stored at the end: the cookie, the values, and when it ends if that is known.
    stored: BTreeMap<String, (Value, Value, Option<i64>)>,
}

/// Runs a case and compares it with the outcome that Express had; returns what differs.
pub(crate) async fn compare(input: &Value, theirs: &Value) -> Result<(), String> {
    if let Some(case) = input["sign"].as_array() {
        let secrets = Express::new([text(&case[1])]).expect("it is not empty").secrets().clone();
        let signed = sign(text(&case[0]), &secrets);
        let is_same = theirs["signed"] == *signed && unsign(&signed, &secrets) == Some(text(&case[0]));
        return if is_same { Ok(()) } else { Err(format!("{signed}\n  {theirs}")) };
    }
    if let Some(case) = input["unsign"].as_array() {
        let secrets = Express::new([text(&case[1])]).expect("it is not empty").secrets().clone();
        let unsigned = unsign(text(&case[0]), &secrets);
        return if unsigned == theirs["unsigned"].as_str() { Ok(()) } else { Err(format!("{unsigned:?}\n  {theirs}")) };
    }
    if input["series"].is_array() {
        return series::compare(input, theirs).await;
    }
    let ours = match run(input, theirs).await {
        Ok(ours) => ours,
        // Express is told at each response that has a session, and sends it without the cookie.
        Err(_) if theirs["failed"].is_string() || theirs["has_session"] == false => {
            return if list(&theirs["set_cookie"]).is_empty() { Ok(()) } else { Err(theirs.to_string()) };
        }
        Err(refused) => return Err(format!("it does not build: {refused}")),
    };
    let theirs = expected(input, theirs, &ours);
    if ours == theirs { Ok(()) } else { Err(format!("Express  {theirs:?}\n  here     {ours:?}")) }
}

async fn run(input: &Value, theirs: &Value) -> Result<Outcome, InvalidCookie> {
    let options = options_of(input);
    // A session whose end has passed when it is stored is stored all the same, so the store looks at an earlier time.
    let store = Arc::new(WatchedStore::new(MemoryStore::new().with_clock(Arc::new(ManualClock::new(Timestamp::MIN)))));
    let mut names = ids(theirs);
    names.push(SEED.into());
    if let Some(data) = input["stored"].as_str().filter(|data| !has_ended(data)) {
        let end = end_of(data).unwrap_or(NOW + DAY);
        let record = Record::new(Data::parse(data).expect("it is an object"), Timestamp::MIN, at(end));
        store.inner.create(&key_of(SEED), &record).await.expect("the key is free");
    }
    let ids: VecDeque<String> = ids(theirs).into_iter().filter(|id| id != SEED).collect();
    let ids = Mutex::new(ids);
    let config = express(&options)?.config(store.clone())?.with_clock(Arc::new(ManualClock::new(at(NOW)))).with_new_id(
        move || {
            let id = ids.lock().map_err(|_| "a test panicked")?.pop_front();
            // More than Express has are a difference.
            match id {
                Some(id) => Ok(SessionId::foreign(&id)?),
                None => Ok(SessionId::generate()?),
            }
        },
    );

    let mut request = Request::builder().uri(input["url"].as_str().unwrap_or("/"));
    for line in list(&input["cookies"]) {
        request = request.header(header::COOKIE, latin1(text(line)));
    }
    for line in list(&input["headers"]) {
        request = request.header(text(&line[0]), latin1(text(&line[1])));
    }
    // What `req.secure` says if nobody else says it.
    let is_https = || list(&input["headers"]).iter().any(|line| line[1] == "https");
    if input["trusts_proxy"] == true && is_https() {
        request = request.extension(SecureByProxy);
    }
    let request = request.body(()).expect("the case's request is valid");
    let slot = SessionSlot::for_request(config, &request);
    let mut outcome = Outcome { has_session: !slot.is_outside_path(), ..Outcome::default() };
    let actions = if outcome.has_session { list(&input["actions"]) } else { &[] };
    for action in actions {
        let session = slot.open(request.headers()).await.expect("the store works");
        outcome.told.extend(act(&session, action).await?);
    }
    let mut response = Response::new(());
    for line in list(&input["other_cookies"]) {
        response.headers_mut().append(header::SET_COOKIE, latin1(text(line)));
    }
    slot.commit().await.expect("the store works").apply(response.headers_mut());
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    outcome.set_cookie = lines.map(|line| line.to_str().expect("it is text").to_owned()).collect();
    outcome.calls = store.calls_of(&names);
    for id in names {
        if let Some((record, _)) = store.inner.load(&key_of(&id)).await.expect("it works") {
            let (cookie, values) = parts(record.data.as_str());
            outcome.stored.insert(id, (cookie, values, Some(record.expires_at.unix_millis())));
        }
    }
    Ok(outcome)
}

/// Returns the options with the defaults of the cases.
pub(crate) fn options_of(input: &Value) -> Value {
    let mut options = input["options"].clone();
    for name in ["resave", "saveUninitialized"] {
        if options[name].is_null() {
            options[name] = false.into();
        }
    }
    options
}

/// Does what a handler of Express did, and returns what that was told of.
pub(crate) async fn act(session: &Session, action: &Value) -> Result<Option<String>, InvalidCookie> {
    let name = || text(&action[1]);
    match text(&action[0]) {
        "set" => {
            let value = RawValue::from_string(text(&action[2]).to_owned()).expect("it is JSON");
            session.set(name(), &value).expect("the name is free");
        }
        "set_date" => session.set(name(), "1970-01-01T00:00:00.000Z").expect("the name is free"),
        "set_undefined" | "delete" => session.remove(name()),
        "clear" => session.clear(),
        "save" => return Ok(session.save().await.err().map(|error| format!("save: {error}"))),
        "reload" => return Ok(session.reload().await.err().map(|_| "reload: failed to load session".into())),
        "regenerate" => session.regenerate(),
        "destroy" => session.logout(),
        "null" | "remove" => session.unset(),
        "touch" => session.touch(),
        "cookie" => {
            let cookie = session.express_cookie().expect("these are the rules of Express");
            // What is not an attribute cannot be said here; there, it keeps the cookie from being set.
            session.set_express_cookie(with_attributes(cookie, action[1].as_object())?);
        }
        other => panic!("the test does not know the action {other}"),
    }
    Ok(None)
}

/// Returns the ids that Express asks its store for, in the order in which it first stores them.
pub(crate) fn ids(theirs: &Value) -> Vec<String> {
    let calls = list(&theirs["calls"]).iter().filter_map(|call| text(call).split_once(' '));
    let (sets, others): (Vec<_>, Vec<_>) = calls.partition(|(call, _)| *call == "set");
    let mut ids = Vec::new();
    for (_, id) in sets.into_iter().chain(others) {
        if !ids.contains(&id.to_owned()) {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// Translates what came of the case in Express.
///
/// | Express | here |
/// |---|---|
/// | the first `get` of what the cookie presents | `load` |
/// | `get` of what is stored; of what is not (`reload` of a new session) | `load`; none |
/// | `set` of what is not stored; of what is | `create`; `update` |
/// | `touch` | `touch`, which does not write the cookie that is kept with the values |
/// | `destroy` of what is stored; of what is not | `delete`; none |
fn expected(input: &Value, theirs: &Value, ours: &Outcome) -> Outcome {
    let mut outcome = Outcome {
        has_session: theirs["has_session"] != false,
        set_cookie: list(&theirs["set_cookie"]).iter().map(|line| text(line).to_owned()).collect(),
        told: list(&theirs["told"]).iter().map(|line| text(line).to_owned()).collect(),
        ..Outcome::default()
    };
    let is_live = input["stored"].as_str().is_some_and(|data| !has_ended(data));
    let mut live: Vec<&str> = if is_live { vec![SEED] } else { Vec::new() };
    // Whose cookie in the store is that of Express.
    let mut written: Vec<&str> = live.clone();
    for (number, call) in list(&theirs["calls"]).iter().enumerate() {
        let (call, id) = text(call).split_once(' ').expect("a call has an id");
        let is_live = live.contains(&id);
        let ours = match call {
            "get" if is_live || (number == 0 && !id.starts_with("GEN")) => "load",
            "set" if is_live => "update",
            "set" => "create",
            "touch" => "touch",
            "destroy" if is_live => "delete",
            _ => continue,
        };
        outcome.calls.entry(id.to_owned()).or_default().push(ours);
        match ours {
            "create" => live.push(id),
            "delete" => live.retain(|other| *other != id),
            _ => {}
        }
        written.retain(|other| *other != id);
        if ours != "touch" && live.contains(&id) {
            written.push(id);
        }
    }
    let is_left = list(&input["actions"]).last().is_some_and(|action| action[0] == "null" || action[0] == "remove");
    let is_left_saved = is_left && list(&input["actions"]).iter().any(|action| action[0] == "save");
    for (id, data) in theirs["stored"].as_object().into_iter().flatten().filter(|(id, _)| live.contains(&id.as_str())) {
        let ours = ours.stored.get(id);
        let (mut cookie, values) = parts(text(data));
        // `save` stores when the session ends from now on; Express stores what it knew before, and moves it at the end.
        if let (true, Some((kept, _, _))) = (is_left_saved, ours) {
            cookie["expires"] = kept["expires"].clone();
        }
        if let (false, Some((kept, _, _))) = (written.contains(&id.as_str()), ours) {
            cookie = kept.clone();
        }
        if id != SEED {
            cookie = as_said(cookie);
        }
        let end = end_of(text(data)).or(Some(NOW + DAY));
        let ours_end = ours.and_then(|(_, _, end)| *end);
        // A touch never makes a session shorter than it was, or than a `save` before made it.
        let has_saved =
            outcome.calls.get(id).is_some_and(|calls| calls.contains(&"create") || calls.contains(&"update"));
        let before =
            if has_saved { ours_end } else { input["stored"].as_str().map(|data| end_of(data).unwrap_or(NOW + DAY)) };
        let is_touched = !written.contains(&id.as_str());
        let end = if is_left_saved {
            ours_end
        } else if is_touched {
            end.max(before)
        } else {
            end
        };
        outcome.stored.insert(id.clone(), (cookie, values, end));
    }
    outcome
}

/// As the memory store of Express decides it.
fn has_ended(data: &str) -> bool {
    end_of(data).is_some_and(|end| end <= NOW)
}

fn latin1(text: &str) -> HeaderValue {
    let bytes: Vec<u8> = text.chars().map(|character| u8::try_from(character).expect("it is Latin-1")).collect();
    HeaderValue::from_bytes(&bytes).expect("the case's header is valid")
}
