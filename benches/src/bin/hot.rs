//! The hot paths, for counting instructions and allocations: `hot PATH CALLS`, or `hot` for the names of the paths.
//!
//! `scripts/instructions` runs it under callgrind with few calls and with many; the difference is what the calls cost. Prints
//! allocations and allocated bytes of one call.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use http::{Request, Response, header};
use session_benches::allocations::{self, Counting};
use session_benches::body::Body;
use session_core::{Data, OwnerId, Page, Scope, SessionIndex, SessionStore};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Error, Secrets, Session, SessionLayer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Application<B> = BoxCloneSyncService<Request<()>, Response<B>, Infallible>;

/// The paths, each with what it is.
const PATHS: [(&str, &str); 10] = [
    ("bare", "what all paths below do besides: a request is made, goes through two boxes, and is answered"),
    ("untouched", "the handler does not ask for the session"),
    ("cookie", "the cookie is found and its signature checked, the key is derived, and the store has nothing"),
    ("read", "one value of a session of 2 KiB in memory is read"),
    ("write", "one value of a session of 2 KiB in memory is changed"),
    ("data", "a text of 2 KiB becomes data, and one value is read"),
    ("many_remove", "one of 74,000 values of a user's session is removed, and the change is dropped"),
    ("many_keys", "74,000 names are listed"),
    ("many_is_empty", "a user's session of 74,000 values is asked whether it is empty"),
    ("many_clear", "74,000 values of a user's session are removed, and the change is dropped"),
];

/// As many names as a client can put into a session of a megabyte.
const MANY: u32 = 74_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(calls)) = (arguments.next(), arguments.next().and_then(|calls| calls.parse().ok())) else {
        PATHS.iter().for_each(|(path, what)| println!("{path} {what}"));
        return;
    };
    // The layer limits the time that a store may take, with the runtime's clock.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime on one thread");
    runtime.block_on(measure(&path, calls));
}

async fn measure(path: &str, calls: u64) {
    let body = Body::of_size(2048);
    let secrets = Secrets::new(["a secret of the benchmark, 32 bytes or more"]).expect("it is long enough");
    let store = Arc::new(MemoryStore::new());
    let sessions = SessionLayer::new(store.clone(), secrets).with_cookie(CookiePolicy::insecure_for_development());
    let application = BoxCloneSyncService::new(ServiceBuilder::new().layer(sessions).service(service_fn(handler)));
    let bare = BoxCloneSyncService::new(service_fn(bare));

    let cookie = cookie(&ask(&application, "/seed", "").await);
    let cookie = format!("theme=dark; _ga=GA1.2.1234567890.1234567890; consent=yes; {cookie}; locale=en-GB");
    if path == "cookie" {
        ask(&application, "/logout", &cookie).await;
    }
    if path.starts_with("many") {
        fill(&store).await;
    }
    // The first call is not counted: everything that is made once is made in it.
    let mut before = (0, 0);
    for call in 0..=calls {
        match path {
            "bare" => drop(black_box(ask(&bare, "/untouched", &cookie).await)),
            "untouched" => drop(black_box(ask(&application, "/untouched", &cookie).await)),
            "cookie" | "read" => drop(black_box(ask(&application, "/read", &cookie).await)),
            "write" => drop(black_box(ask(&application, "/write", &cookie).await)),
            "many_remove" => drop(black_box(ask(&application, "/many_remove", &cookie).await)),
            "many_keys" => drop(black_box(ask(&application, "/many_keys", &cookie).await)),
            "many_is_empty" => drop(black_box(ask(&application, "/many_is_empty", &cookie).await)),
            "many_clear" => drop(black_box(ask(&application, "/many_clear", &cookie).await)),
            "data" => {
                let data = Data::parse(Arc::clone(&body.text)).expect("the text is an object");
                black_box(data.get::<u32>("views").is_ok());
            }
            _ => panic!("there is no path {path}"),
        }
        if call == 0 {
            before = allocations::of_this_thread();
        }
    }
    let after = allocations::of_this_thread();
    let each = |number: u64| number / calls.max(1);
    println!("{} {}", each(after.0 - before.0), each(after.1 - before.1));
}

/// Puts many names into the one session that is stored, and makes it a user's.
async fn fill(store: &MemoryStore) {
    let listing = store.list(Scope::All, &Page::first(1)).await.expect("the memory does not fail");
    let key = &listing.sessions.first().expect("it was stored").key;
    let (mut record, revision) = store.load(key).await.expect("the memory does not fail").expect("it is there");
    let names: Vec<_> = (0..MANY).map(|number| format!("\"n{number}\":1")).collect();
    record.data = Data::parse(format!("{{{}}}", names.join(","))).expect("the text is an object");
    record.owner = OwnerId::parse("ada").ok();
    store.update(key, revision, &record).await.expect("a megabyte is not too large");
}

/// Returns the cookie that a response sets, as a browser sends it back.
fn cookie<B>(response: &Response<B>) -> String {
    let line = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    line.split(';').next().unwrap_or_default().to_owned()
}

async fn handler(request: Request<()>) -> Result<Response<String>, Infallible> {
    answer(request).await.expect("the memory does not fail");
    Ok(Response::new(String::new()))
}

async fn answer(request: Request<()>) -> Result<(), Error> {
    match request.uri().path() {
        "/untouched" => {}
        "/read" => drop(black_box(Session::of(&request).await?.get::<u32>("views")?)),
        "/write" => {
            Session::of(&request).await?.modify("views", |views: &mut u32| *views = views.wrapping_add(1) % 10)?
        }
        "/many_keys" => drop(black_box(Session::of(&request).await?.keys())),
        "/many_is_empty" => drop(black_box(Session::of(&request).await?.is_empty())),
        "/many_remove" => {
            let session = Session::of(&request).await?;
            session.remove("n7");
            session.unset();
        }
        "/many_clear" => {
            let session = Session::of(&request).await?;
            session.clear();
            black_box(session.is_empty());
            session.unset();
        }
        "/logout" => Session::of(&request).await?.logout(),
        _ => {
            let session = Session::of(&request).await?;
            // In one order: what a look at a value costs depends on its place.
            let mut values: Vec<_> = Body::of_size(2048).values.into_iter().collect();
            values.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (name, value) in values {
                session.set(&name, &value)?;
            }
        }
    }
    Ok(())
}

async fn bare(_: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(String::new()))
}

async fn ask<B>(application: &Application<B>, path: &'static str, cookie: &str) -> Response<B> {
    let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(()).expect("the request is valid");
    application.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
}
