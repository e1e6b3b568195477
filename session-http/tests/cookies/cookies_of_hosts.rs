//! Cookies that are chosen by request: what one name was given is refused under another.

use http::{Request, header};
use session_core::{Data, Record, SessionId, SessionKey, SessionStore, Timestamp};
use session_http::CookiePolicy;

use crate::support::{App, Browser, set_cookie};

/// The shop and its administration have a name each, and one store.
fn shop_and_admin() -> App {
    let admin = CookiePolicy::builder().with_name("__Host-admin").build().expect("the flags go together");
    App::with(|config| {
        config.with_cookie_of(move |request| {
            if request.uri.path().starts_with("/admin") { admin.clone() } else { CookiePolicy::default() }
        })
    })
}

fn request(path: &str, cookie: &str) -> Request<()> {
    Request::builder().uri(path).header(header::COOKIE, cookie).body(()).expect("the test's request is valid")
}

#[tokio::test]
async fn the_value_of_one_name_is_refused_under_another() {
    let app = shop_and_admin();
    let visit = app.visit_of(&request("/", ""));
    visit.open().await.set("n", &1).expect("a number is JSON");
    let (value, _) = set_cookie(&visit.finish().await).expect("the session was created");
    let own = app.visit_of(&request("/", &format!("__Host-session={value}"))).open().await;
    assert!(!own.is_new(), "it is the shop's");
    let other = app.visit_of(&request("/admin", &format!("__Host-admin={value}"))).open().await;
    assert!(other.is_new(), "it is not the administration's");
}

#[tokio::test]
async fn a_cookie_from_before_the_name_was_signed_is_valid_where_there_is_one_name() {
    const VALUE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX.Zysdd19CZq2g6DADEQhQioEAIDx4jehGzhQhslPHGB4";
    let app = App::new();
    let id = SessionId::parse(&VALUE[..32]).expect("it begins with an id");
    let record = Record::new(Data::empty(), app.now(), Timestamp::MAX);
    app.store.inner.create(&SessionKey::derive("session", &id), &record).await.expect("the key is free");
    assert!(!app.visit(&Browser { cookie: Some(VALUE.into()) }).open().await.is_new());
}
