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
use session_core::{Data, SessionStore};
use session_store_memory::MemoryStore;
use session_tower::{CookiePolicy, Rejection, Secrets, Session, SessionLayer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Application = BoxCloneSyncService<Request<()>, Response<String>, Infallible>;

/// The paths, each with what it is.
const PATHS: [(&str, &str); 6] = [
    ("bare", "what all paths below do besides: a request is made, goes through two boxes, and is answered"),
    ("untouched", "the handler does not ask for the session"),
    ("cookie", "the cookie is found and its signature checked, the key is derived, and the store has nothing"),
    ("read", "one value of a session of 2 KiB in memory is read"),
    ("write", "one value of a session of 2 KiB in memory is changed"),
    ("data", "a text of 2 KiB becomes data, and one value is read"),
];

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
    let sessions = SessionLayer::new(Arc::new(MemoryStore::new()) as Arc<dyn SessionStore>, secrets)
        .with_cookie(CookiePolicy::insecure_for_development());
    let application = BoxCloneSyncService::new(ServiceBuilder::new().layer(sessions).service(service_fn(handler)));
    let bare = BoxCloneSyncService::new(service_fn(bare));

    let cookie = cookie(&ask(&application, "/seed", "").await);
    let cookie = format!("theme=dark; _ga=GA1.2.1234567890.1234567890; consent=yes; {cookie}; locale=en-GB");
    if path == "cookie" {
        ask(&application, "/logout", &cookie).await;
    }
    // The first call is not counted: everything that is made once is made in it.
    let mut before = (0, 0);
    for call in 0..=calls {
        match path {
            "bare" => drop(black_box(ask(&bare, "/untouched", &cookie).await)),
            "untouched" => drop(black_box(ask(&application, "/untouched", &cookie).await)),
            "cookie" | "read" => drop(black_box(ask(&application, "/read", &cookie).await)),
            "write" => drop(black_box(ask(&application, "/write", &cookie).await)),
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

/// Returns the cookie that a response sets, as a browser sends it back.
fn cookie(response: &Response<String>) -> String {
    let line = response.headers()[header::SET_COOKIE].to_str().expect("our cookies are text");
    line.split(';').next().unwrap_or_default().to_owned()
}

async fn handler(request: Request<()>) -> Result<Response<String>, Infallible> {
    answer(request).await.expect("the memory does not fail");
    Ok(Response::new(String::new()))
}

async fn answer(request: Request<()>) -> Result<(), Rejection> {
    match request.uri().path() {
        "/untouched" => {}
        "/read" => drop(black_box(Session::of(&request).await?.get::<u32>("views")?)),
        "/write" => {
            Session::of(&request).await?.modify("views", |views: &mut u32| *views = views.wrapping_add(1) % 10)?
        }
        "/logout" => Session::of(&request).await?.logout(),
        _ => {
            let session = Session::of(&request).await?;
            for (name, value) in Body::of_size(2048).values {
                session.set(&name, &value)?;
            }
        }
    }
    Ok(())
}

async fn bare(_: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(String::new()))
}

async fn ask(application: &Application, path: &'static str, cookie: &str) -> Response<String> {
    let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(()).expect("the request is valid");
    application.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
}
