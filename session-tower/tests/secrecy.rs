//! S19 and S20: the life-cycle events are there, and no id, cookie, secret or value is in any of them.

use std::io;
use std::sync::{Arc, Mutex};

use http::{Request, Response, header};
use session_core::SessionIndex;
use session_store_memory::MemoryStore;
use session_tower::{Error, Secrets, Session, SessionLayer, SessionSlot};
use tower::{Layer, ServiceExt, service_fn};
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

const SECRET: &str = "the-signing-secret-of-this-test-which-is-long";
const VALUE: &str = "a-value-that-nobody-else-may-read";

/// Collects everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics under this lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a browser sent and got, whose parts must not be logged.
struct Exchange {
    sessions: SessionLayer,
    secrets: Vec<String>,
    debugged: String,
}

impl Exchange {
    async fn send(&mut self, path: &'static str, cookies: &[&str]) -> Option<String> {
        let mut request = Request::new(String::new());
        for cookie in cookies {
            request.headers_mut().append(header::COOKIE, cookie.parse().expect("the test's cookie is a header"));
        }
        let seen = Arc::new(Mutex::new(String::new()));
        let debugged = seen.clone();
        let service = service_fn(move |request: Request<String>| {
            let seen = seen.clone();
            async move {
                let session = Session::of(&request).await?;
                act(&session, path).await?;
                let mut seen = seen.lock().expect("no test panics under this lock");
                seen.push_str(&format!("{session:?} {:?}", request.extensions().get::<SessionSlot>()));
                Ok::<_, Error>(Response::new(String::new()))
            }
        });
        let outcome = self.sessions.layer(service).oneshot(request).await;
        self.debugged.push_str(&debugged.lock().expect("no test panics under this lock"));
        match outcome {
            Ok(response) => {
                let line = response.headers().get(header::SET_COOKIE)?.to_str().expect("it is text").to_owned();
                self.debugged.push_str(&format!("{response:?}"));
                let cookie = line.split(';').next().unwrap_or_default().to_owned();
                if let Some((id, signature)) = cookie.trim_start_matches("__Host-session=").split_once('.') {
                    self.secrets.extend([id.to_owned(), signature.to_owned()]);
                }
                Some(cookie)
            }
            Err(error) => {
                self.debugged.push_str(&format!("{error} {error:?}"));
                None
            }
        }
    }
}

async fn act(session: &Session, path: &str) -> Result<(), Error> {
    match path {
        "set" => session.set("value", VALUE)?,
        "login" => session.login("ada")?,
        "logout" => session.logout(),
        "clear" => session.clear(),
        "wrong" => session.set("n", &session.get::<u32>("value")?)?,
        "conflict" => {
            session.modify("n", |n: &mut u32| *n += 1)?;
            let key = session.key().expect("it is stored");
            let state = STORE.with(Clone::clone);
            let (record, revision) = session_core::SessionStore::load(&*state, &key).await?.expect("it is live");
            session_core::SessionStore::update(&*state, &key, revision, &record).await?;
        }
        "gone" => {
            session.set("n", &1)?;
            STORE.with(Clone::clone).clear().await?;
        }
        "dropped" => {
            session.set("n", &99)?;
            return Err(Error::MissingLayer);
        }
        _ => {}
    }
    Ok(())
}

thread_local! {
    static STORE: Arc<MemoryStore> = Arc::new(MemoryStore::new());
}

#[tokio::test]
async fn s19_and_s20_every_event_is_told_and_nothing_secret_is() {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || sink.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let secrets = Secrets::new([SECRET]).expect("it is long enough");
    let sessions = SessionLayer::new(STORE.with(Clone::clone), secrets);
    let debugged = format!("{sessions:?}");
    let mut exchange = Exchange { sessions, secrets: vec![SECRET.into(), VALUE.into()], debugged };

    let first = exchange.send("set", &[]).await.expect("it was created");
    exchange.send("conflict", &[&first]).await;
    exchange.send("wrong", &[&first]).await;
    let second = exchange.send("login", &[&first]).await.expect("it was rotated");
    exchange.send("read", &[&first]).await;
    let other = exchange.send("set", &[]).await.expect("it was created");
    exchange.send("read", &[&second, &other]).await;
    exchange.send("read", &[&second.replace('.', "A.")]).await;
    exchange.send("dropped", &[&second]).await;
    exchange.send("logout", &[&second]).await;
    let third = exchange.send("set", &[]).await.expect("it was created");
    exchange.send("gone", &[&third]).await;
    let fourth = exchange.send("set", &[]).await.expect("it was created");
    exchange.send("clear", &[&fourth]).await;

    let log = String::from_utf8(log.0.lock().expect("no test panics under this lock").clone()).expect("it is text");
    for event in [
        "session created",
        "session rotated",
        "session logged in",
        "session loaded",
        "session updated",
        "session load{key=",
        "session commit{key=",
        "session destroyed",
        "reason=logout",
        "reason=emptied",
        "session expired or unknown",
        "bad signature",
        "two live sessions",
        "merged with those of other requests",
        "session gone at commit",
        "nothing committed them",
    ] {
        assert!(log.contains(event), "{event}\n{log}");
    }
    assert_eq!(exchange.secrets.len(), 2 + 5 * 2);
    for secret in &exchange.secrets {
        assert!(!log.contains(secret.as_str()), "{log}");
        assert!(!exchange.debugged.contains(secret.as_str()), "{}", exchange.debugged);
    }
}
