//! The id in a header, and in ways of the application's own: the same checks before any I/O (S4, S9), and the right
//! word to caches (S10).

use http::{HeaderMap, HeaderName, Request, Response, Uri, header};
use session_core::SessionId;
use session_http::{
    HeaderTransport, News, Presented, Secrets, Session, SessionConfig, SessionSlot, Sessions, SignedId, Transport,
};

use crate::support::{App, HOUR, MINUTE, SECRET};

const NO_CALLS: [&str; 0] = [];

/// A client that keeps what it is told and presents it in a request that `present` builds.
struct Client {
    app: App,
    id: Option<String>,
    present: fn(&str) -> Request<()>,
    told: fn(&HeaderMap) -> Option<String>,
}

fn in_header(id: &str) -> Request<()> {
    let request = Request::builder().header("session-id", id);
    request.body(()).expect("the test's request is valid")
}

fn from_header(headers: &HeaderMap) -> Option<String> {
    assert!(headers.get_all("session-id").iter().count() <= 1);
    Some(headers.get("session-id")?.to_str().expect("it is text").to_owned())
}

impl Client {
    fn with(
        transport: impl Transport + 'static,
        present: fn(&str) -> Request<()>,
        told: fn(&HeaderMap) -> Option<String>,
    ) -> Self {
        Self { app: App::with(|config| config.with_transport(transport)), id: None, present, told }
    }

    fn of_api() -> Self {
        Self::with(HeaderTransport::default(), in_header, from_header)
    }

    async fn send(&mut self, handler: impl AsyncFnOnce(&Session)) -> Response<String> {
        let request = (self.present)(self.id.as_deref().unwrap_or_default());
        let response = send(&self.app.config, &request, handler).await;
        assert!(!response.headers().contains_key(header::SET_COOKIE));
        if let Some(id) = (self.told)(response.headers()) {
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            self.id = (!id.is_empty()).then_some(id);
        }
        response
    }
}

async fn send(config: &Sessions, request: &Request<()>, handler: impl AsyncFnOnce(&Session)) -> Response<String> {
    let slot = SessionSlot::for_request(config.clone(), request);
    handler(&slot.open(request.headers()).await.expect("the store works")).await;
    let mut response = Response::new(String::new());
    slot.commit().await.expect("the store works").apply_to(&mut response);
    response
}

#[tokio::test]
async fn an_id_in_a_header_lives_as_one_in_a_cookie_does() {
    let mut client = Client::of_api();
    assert!(!client.send(async |_| ()).await.headers().contains_key("session-id"), "nothing is told about nothing");
    client.send(async |session| session.set("n", &1).expect("a number is JSON")).await;
    let anonymous = client.id.clone().expect("it was told an id");
    assert_eq!((anonymous.len(), anonymous.find('.')), (32 + 1 + 43, Some(32)), "it is signed");

    let read = client.send(async |session| assert_eq!(session.get("n").expect("it is a number"), Some(1))).await;
    assert!(!read.headers().contains_key("session-id") && !read.headers().contains_key(header::CACHE_CONTROL));
    assert_eq!(read.headers()[header::VARY], "session-id");

    client.app.clock.advance(10 * MINUTE);
    let extended = client.send(async |_| ()).await;
    assert!(!extended.headers().contains_key("session-id"), "the client has it already");

    client.send(async |session| session.login("ada").expect("a short name is an owner")).await;
    assert_ne!(client.id, Some(anonymous.clone()));
    let old = send(&client.app.config, &in_header(&anonymous), async |session| assert!(session.is_new())).await;
    assert!(!old.headers().contains_key("session-id"));
    let response = client.send(async |session| session.logout()).await;
    assert_eq!(response.headers()["session-id"], "", "it is told to forget");
    assert_eq!(client.id, None);
    client.send(async |session| assert!(session.is_new())).await;
}

#[tokio::test]
async fn s4_what_was_not_signed_here_costs_no_call() {
    let mut client = Client::of_api();
    client.send(async |session| session.set("n", &1).expect("a number is JSON")).await;
    let id = client.id.clone().expect("it was told an id");
    client.app.store.calls();
    let last = if id.ends_with('A') { 'E' } else { 'A' };
    let forged = format!("{}{last}", &id[..id.len() - 1]);
    let long = "x".repeat(10_000);
    for values in [vec![""], vec![&*forged], vec![&id[..32]], vec![&*long], vec![&*forged, &id[..32]]] {
        let mut request = Request::new(());
        for value in &values {
            request.headers_mut().append("session-id", value.parse().expect("the test's value is valid"));
        }
        let response = send(&client.app.config, &request, async |session| assert!(session.is_new())).await;
        assert!(!response.headers().contains_key("session-id"));
    }
    let mut request = in_header(&format!("{id}, {id}"));
    send(&client.app.config, &request, async |session| assert!(session.is_new())).await;
    // A cookie is not looked at.
    request = Request::builder().header(header::COOKIE, format!("__Host-session={id}")).body(()).expect("it is valid");
    send(&client.app.config, &request, async |session| assert!(session.is_new())).await;
    assert_eq!(client.app.store.calls(), NO_CALLS);
    send(&client.app.config, &in_header(&format!(" {id}\t")), async |session| assert!(!session.is_new())).await;
}

#[tokio::test]
async fn s9_an_id_that_comes_twice_or_beside_what_was_not_signed_here_is_the_one_that_counts() {
    let mut client = Client::of_api();
    client.send(async |session| session.set("n", &1).expect("a number is JSON")).await;
    let id = client.id.clone().expect("it was told an id");
    for values in [[&*id, &*id], [&*id, "forged"], ["forged", &*id]] {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append("session-id", value.parse().expect("the test's value is valid"));
        }
        send(&client.app.config, &request, async |session| assert!(!session.is_new(), "{values:?}")).await;
    }
}

#[tokio::test]
async fn an_id_of_an_old_secret_is_told_anew_and_never_shown() {
    let mut client = Client::of_api();
    client.send(async |session| session.set("n", &1).expect("a number is JSON")).await;
    let old = client.id.clone();
    let secrets = Secrets::new(["the next secret of the tests, just as long", SECRET]).expect("they are long enough");
    let both = SessionConfig::new(client.app.store.clone(), secrets).with_clock(client.app.clock.clone());
    client.app.config = both.with_transport(HeaderTransport::default()).into();
    let response = client.send(async |session| session.set("n", &2).expect("a number is JSON")).await;
    assert!(client.id != old && client.id.as_deref().map(|id| &id[..32]) == old.as_deref().map(|id| &id[..32]));
    let id = client.id.clone().expect("it has one");
    assert!(!format!("{:?}", response.headers()).contains(&id[..32]));
    let news = News::Issued { value: &id, lives_for: HOUR };
    assert!(!format!("{news:?} {:?}", [id.as_bytes()].into_iter().collect::<Presented<'_>>()).contains(&id[..8]));
}

/// In the query, and in the `Location` of redirects: for tests, and as the documentation warns.
#[derive(Debug)]
struct InQuery;

impl Transport for InQuery {
    fn find<'r>(&self, uri: &'r Uri, _headers: &'r HeaderMap) -> Presented<'r> {
        let pairs = uri.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.strip_prefix("sid=")).map(str::as_bytes).collect()
    }

    fn tell(&self, news: &News<'_>, headers: &mut HeaderMap) {
        let text = match news {
            News::Issued { value, lives_for } => format!("/?sid={value}#{}", lives_for.as_secs()),
            _ => "/".to_owned(),
        };
        headers.insert(header::LOCATION, text.parse().expect("it is text of a URL"));
    }

    fn varies_by(&self) -> Option<HeaderName> {
        None
    }
}

fn in_query(id: &str) -> Request<()> {
    let query = if id.is_empty() { String::new() } else { format!("?a=1&sid={id}&b=2") };
    Request::builder().uri(format!("/path{query}")).body(()).expect("the test's request is valid")
}

fn from_location(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().expect("it is text");
    Some(
        location
            .split_once("sid=")
            .map_or_else(String::new, |(_, id)| id.split('#').next().unwrap_or_default().to_owned()),
    )
}

#[tokio::test]
async fn a_transport_of_ones_own_sees_the_url_and_its_responses_are_never_kept() {
    let mut client = Client::with(InQuery, in_query, from_location);
    let created = client.send(async |session| session.set("n", &1).expect("a number is JSON")).await;
    assert!(created.headers()[header::LOCATION].to_str().is_ok_and(|location| location.ends_with("#3600")));
    let id = client.id.clone().expect("it was told an id");
    let read = client.send(async |session| assert_eq!(session.get("n").expect("it is a number"), Some(1))).await;
    assert_eq!(read.headers()[header::CACHE_CONTROL], "no-store");
    assert!(!read.headers().contains_key(header::VARY));

    client.app.store.calls();
    for request in [in_query(&id.replace('.', "A.")), in_query(&id[..32])] {
        send(&client.app.config, &request, async |session| assert!(session.is_new())).await;
    }
    assert_eq!(client.app.store.calls(), NO_CALLS);

    client.send(async |session| session.logout()).await;
    assert_eq!(client.id, None);
    let slot = SessionSlot::for_request(client.app.config.clone(), &in_query(&id));
    let mut response = Response::new(());
    slot.commit().await.expect("nothing is done").apply_to(&mut response);
    assert!(response.headers().is_empty(), "who does not open the session gets no header");
    let blind = SessionSlot::new(client.app.config.clone());
    assert!(blind.open(in_query(&id).headers()).await.expect("no call is made").is_new());
}

#[test]
fn a_header_may_have_any_name_and_an_id_is_as_long_as_the_format_says() {
    let transport = HeaderTransport::new(HeaderName::from_static("x-shop-session"));
    assert_eq!(transport.name(), "x-shop-session");
    let id = SessionId::generate().expect("the test machine has randomness");
    let secrets = Secrets::new([SECRET]).expect("it is long enough");
    let value = session_http::CookieFormat::write(&SignedId, &id, &secrets);
    let mut headers = HeaderMap::new();
    transport.tell(&News::Issued { value: &value, lives_for: HOUR }, &mut headers);
    assert_eq!(transport.find(&Uri::default(), &headers).texts(), [value.as_bytes()]);
    transport.tell(&News::Ended, &mut headers);
    assert!(transport.find(&Uri::default(), &headers).texts().is_empty());
}
