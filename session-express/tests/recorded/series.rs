//! Series of requests of one browser, with time between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, header};
use serde_json::{Map, Value};
use session_core::{Clock, ManualClock, SessionId, SessionStore};
use session_express::{Session, SessionSlot, Sessions};
use session_store_memory::MemoryStore;

use super::options::{NOW, as_javascript, at, express, list, parts, text};
use super::store::key_of;
use super::{act, ids, options_of};

/// What a browser and the handler saw, request by request, and what is stored in the end.
#[derive(Debug, PartialEq)]
struct Outcome {
    visits: Vec<Visit>,
    stored: BTreeMap<String, Value>,
}

#[derive(Debug, PartialEq)]
struct Visit {
    seen: Value,
    told: Vec<String>,
    set_cookie: Vec<String>,
}

pub(crate) async fn compare(input: &Value, theirs: &Value) -> Result<(), String> {
    let ours = run(input, theirs).await;
    let texts = |lines: &Value| list(lines).iter().map(|line| text(line).to_owned()).collect();
    let visits = list(&theirs["visits"]).iter().map(|visit| Visit {
        seen: as_javascript(visit["seen"].clone()),
        told: texts(&visit["told"]),
        set_cookie: texts(&visit["set_cookie"]),
    });
    let stored = theirs["stored"].as_object().into_iter().flatten();
    let stored = stored.map(|(id, values)| (id.clone(), as_javascript(values.clone()))).collect();
    let theirs = Outcome { visits: visits.collect(), stored };
    if ours == theirs { Ok(()) } else { Err(format!("Express  {theirs:?}\n  here     {ours:?}")) }
}

async fn run(input: &Value, theirs: &Value) -> Outcome {
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    let known: VecDeque<String> = ids(theirs).into();
    let (left, mut stored) = (Mutex::new(known.clone()), BTreeMap::new());
    let config = express(&options_of(input)).and_then(|express| express.config(store.clone()));
    let config = config.expect("the options build").with_clock(clock.clone()).with_new_id(move || {
        let id = left.lock().map_err(|_| "a test panicked")?.pop_front();
        match id {
            Some(id) => Ok(SessionId::foreign(&id)?),
            None => Ok(SessionId::generate()?),
        }
    });
    let sessions = Sessions::from(config);
    let (mut visits, mut jar) = (Vec::new(), None);
    for step in list(&input["series"]) {
        clock.advance(Duration::from_millis(step["after"].as_u64().expect("it is a number")));
        jar = jar.filter(|(_, end): &(String, Option<_>)| end.is_none_or(|end| end > clock.now()));
        let mut request = Request::builder();
        if let Some((cookie, _)) = &jar {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(()).expect("the request is valid");
        let slot = SessionSlot::for_request(sessions.clone(), &request);
        let session = slot.open(request.headers()).await.expect("the store works");
        let (seen, mut told) = (seen(&session), Vec::new());
        for action in list(&step["actions"]) {
            told.extend(act(&session, action).await.expect("the attributes are valid"));
        }
        let mut response = Response::new(());
        slot.commit().await.expect("the store works").apply(response.headers_mut());
        let lines = response.headers().get_all(header::SET_COOKIE).iter();
        let set_cookie: Vec<_> = lines.map(|line| line.to_str().expect("it is text").to_owned()).collect();
        if let Some(line) = set_cookie.last() {
            let cookie = line.split(';').next().unwrap_or_default().to_owned();
            // The session ends with its cookie, but for the fraction of a second that the cookie does not say.
            let end = session.expires_at().filter(|_| line.contains("; Expires="));
            jar = Some((cookie, end.map(|end| at(end.unix_millis() / 1000 * 1000))));
        }
        visits.push(Visit { seen, told, set_cookie });
    }
    for id in known {
        if let Some((record, _)) = store.load(&key_of(&id)).await.expect("it works") {
            stored.insert(id, parts(record.data.as_str()).1);
        }
    }
    Outcome { visits, stored }
}

fn seen(session: &Session) -> Value {
    let value = |name: String| {
        let value: Value = session.get(&name).ok().flatten().unwrap_or_default();
        (name, as_javascript(value))
    };
    Value::Object(session.keys().into_iter().map(value).collect::<Map<_, _>>())
}
