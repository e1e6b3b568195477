//! Cases about the options of an application.

use http::StatusCode;
use session_core::SessionId;
use session_express::{Express, InvalidSecrets, Session, Unset};

use super::server::{Server, count, end, options, server, server_with, set_user};
use crate::{Case, describe, differs, it};

pub(crate) fn cases() -> Vec<Case> {
    [
        describe("session() > genid option", genid()),
        describe("session() > key option", names("should allow overriding")),
        describe("session() > name option", names("should set the cookie name")),
        describe("session() > rolling option", rolling()),
        describe("session() > resave option", resave()),
        describe("session() > saveUninitialized option", save_uninitialized()),
        describe("session() > secret option", secrets()),
        describe("session() > unset option", unset()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn genid() -> Vec<Case> {
    async fn sets(id: &str, value: &str) {
        let id = SessionId::foreign(id).expect("it is short");
        let server = server_with(options(), |config| config.with_new_id(move || Ok(id.clone())), end);
        let answer = server.get("/").await;
        assert_eq!(answer.is_ok("").cookie().split(';').next(), Some(&*format!("connect.sid={value}")));
    }
    vec![
        it("should provide default generator", async || {
            server(options(), end).get("/").await.is_ok("").sets("connect.sid");
        }),
        it("should allow custom function", async || {
            sets("apple", "s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU").await;
        }),
        it("should encode unsafe chars", async || {
            sets("%", "s%3A%25.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g").await;
        }),
    ]
}

fn names(overriding: &str) -> Vec<Case> {
    vec![
        it("should default to \"connect.sid\"", async || {
            server(options(), end).get("/").await.is_ok("").sets("connect.sid");
        }),
        it(overriding, async || {
            server(options().with_name("session_id"), end).get("/").await.is_ok("").sets("session_id");
        }),
    ]
}

/// Sets the user in two requests, and returns whether the second one wrote.
async fn writes_again(options: Express) -> bool {
    let server = server(options, set_user);
    let first = server.get("/").await;
    assert_eq!(server.writes(), 1);
    server.get_again("/", &first).await.is_ok("");
    server.writes() == 1
}

fn rolling() -> Vec<Case> {
    vec![
        it("should default to false", async || {
            let server = server(options(), set_user);
            let first = server.get("/").await;
            first.is_ok("").sets("connect.sid");
            server.get_again("/", &first).await.is_ok("").sets_nothing();
        }),
        it("should force cookie on unmodified session", async || {
            let server = server(options().with_rolling(), set_user);
            let first = server.get("/").await;
            first.is_ok("").sets("connect.sid");
            server.get_again("/", &first).await.is_ok("").sets("connect.sid");
        }),
        it(
            "should not force cookie on uninitialized session if saveUninitialized option is set to false",
            async || {
                let server = server(options().with_rolling().without_save_uninitialized(), end);
                server.get("/").await.is_ok("").sets_nothing();
                assert_eq!(server.writes(), 0);
            },
        ),
        it(
            "should force cookie and save uninitialized session if saveUninitialized option is set to true",
            async || {
                let server = server(options().with_rolling().with_save_uninitialized(), end);
                server.get("/").await.is_ok("").sets("connect.sid");
                assert_eq!(server.writes(), 1);
            },
        ),
        it(
            "should force cookie and save modified session even if saveUninitialized option is set to false",
            async || {
                let server = server(options().with_rolling().without_save_uninitialized(), set_user);
                server.get("/").await.is_ok("").sets("connect.sid");
                assert_eq!(server.writes(), 1);
            },
        ),
    ]
}

fn resave() -> Vec<Case> {
    vec![
        it("should default to true", async || assert!(writes_again(options()).await)),
        it("when true > should force save on unmodified session", async || {
            assert!(writes_again(options().with_resave()).await);
        }),
        it("when false > should prevent save on unmodified session", async || {
            assert!(!writes_again(options().without_resave()).await);
        }),
        it("when false > should still save modified session", async || {
            let respond = async |session: Session, method: http::Method, uri: http::Uri| {
                if method == http::Method::PUT {
                    session.set("token", &uri.path()[1..]).expect("the name is free");
                }
                format!("token={}", session.get::<String>("token").expect("it is text").unwrap_or_default())
            };
            let server = server(options().without_resave(), respond);
            let first = server.ask("PUT", "/w6RHhwaA", &[]).await;
            first.is_ok("token=w6RHhwaA");
            assert_eq!(server.writes(), 1);
            server.get_again("/", &first).await.is_ok("token=w6RHhwaA");
            assert_eq!(server.writes(), 0);
            server.ask("PUT", "/zfQ3rzM3", &[("cookie", first.cookie())]).await.is_ok("token=zfQ3rzM3");
            assert_eq!(server.writes(), 1);
        }),
        it("when false > should detect a \"cookie\" property as modified", async || {
            let respond = async |session: Session| {
                let mut user: serde_json::Value = session.get("user").expect("it is JSON").unwrap_or_default();
                user["name"] = "bob".into();
                user["cookie"] = (user["cookie"].as_u64().unwrap_or(0) + 1).into();
                session.set("user", &user).expect("the name is free");
            };
            let server = server(options().without_resave(), respond);
            let first = server.get("/").await;
            assert_eq!(server.writes(), 1);
            server.get_again("/", &first).await.is_ok("");
            assert_eq!(server.writes(), 1);
        }),
        differs("when false > should pass session touch error", async || {
            let server = server(options().without_resave(), set_user);
            let first = server.get("/").await;
            server.clock.advance(std::time::Duration::from_secs(1));
            assert_eq!(fails_at(&server, "touch", Some(first.cookie())).await, StatusCode::SERVICE_UNAVAILABLE);
        }),
    ]
}

/// Asks while this call of the store fails.
async fn fails_at(server: &Server, call: &'static str, cookie: Option<&str>) -> StatusCode {
    server.store.set_failing(call);
    server.ask("GET", "/", &[("cookie", cookie.unwrap_or("a=1"))]).await.status
}

fn save_uninitialized() -> Vec<Case> {
    async fn saves(options: Express) {
        let server = server(options, end);
        server.get("/").await.is_ok("").sets("connect.sid");
        assert_eq!(server.writes(), 1);
    }
    vec![
        it("should default to true", async || saves(options()).await),
        it("should force save of uninitialized session", async || saves(options().with_save_uninitialized()).await),
        it("should prevent save of uninitialized session", async || {
            let server = server(options().without_save_uninitialized(), end);
            server.get("/").await.is_ok("").sets_nothing();
            assert_eq!(server.writes(), 0);
        }),
        it("should still save modified session", async || {
            let server = server(options().without_save_uninitialized(), async |session: Session| {
                count(&session);
            });
            server.get("/").await.is_ok("").sets("connect.sid");
            assert_eq!(server.writes(), 1);
        }),
        differs("should pass session save error", async || {
            let server = server(options(), async || "session saved");
            assert_eq!(fails_at(&server, "create", None).await, StatusCode::SERVICE_UNAVAILABLE);
        }),
        it("should prevent uninitialized session from being touched", async || {
            let server = server(options().without_save_uninitialized(), end);
            server.get("/").await.is_ok("");
            assert_eq!(server.store.calls(), [""; 0]);
        }),
    ]
}

fn secrets() -> Vec<Case> {
    fn signing<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Express {
        Express::new(secrets).expect("no secret is empty")
    }
    async fn signs(options: Express) {
        let respond = async |session: Session| match session.get::<String>("user").expect("it is text") {
            None => session.set("user", "bob").map(|()| "set".to_owned()).expect("the name is free"),
            Some(user) => format!("get:\"{user}\""),
        };
        let server = server(options, respond);
        let first = server.get("/").await;
        first.is_ok("set").sets("connect.sid");
        server.get_again("/", &first).await.is_ok("get:\"bob\"");
    }
    /// Has one application begin a session, and returns what another one reads.
    async fn reads(begins: Express, reads: Express) -> String {
        let one = server(begins, set_user);
        let other = one.beside(reads, async |session: Session| {
            session.get::<String>("user").expect("it is text").unwrap_or("undefined".into())
        });
        let first = one.get("/").await;
        other.get_again("/", &first).await.body
    }
    vec![
        it("should reject empty arrays", async || {
            assert!(matches!(Express::new([""; 0]), Err(InvalidSecrets::Missing)));
        }),
        it("should sign and unsign with a string", async || signs(signing(["awesome cat"])).await),
        it("should sign and unsign with a Buffer", async || signs(signing([[0xff, 0, 0x80, 7]])).await),
        it("when an array > should sign cookies", async || {
            server(signing(["keyboard cat", "nyan cat"]), set_user).get("/").await.is_ok("").sets("connect.sid");
        }),
        it("when an array > should sign cookies with first element", async || {
            let read = reads(signing(["keyboard cat", "nyan cat"]), signing(["nyan cat"])).await;
            assert_eq!(read, "undefined");
        }),
        it("when an array > should read cookies using all elements", async || {
            let read = reads(signing(["nyan cat"]), signing(["keyboard cat", "nyan cat"])).await;
            assert_eq!(read, "bob");
        }),
    ]
}

fn unset() -> Vec<Case> {
    /// Counts, and unsets the session at the second time; returns how many are stored then.
    async fn live_after(options: Express) -> u64 {
        let server = server(options, async |session: Session| {
            if count(&session) == 2 {
                session.unset();
            }
        });
        let first = server.get("/").await;
        assert_eq!(server.len().await, 1);
        server.get_again("/", &first).await.is_ok("");
        server.len().await
    }
    let unsets = async |session: Session| {
        session.unset();
        "session destroyed"
    };
    vec![
        it("should default to keep", async || assert_eq!(live_after(options()).await, 1)),
        it("should allow destroy on req.session = null", async || {
            assert_eq!(live_after(options().with_unset(Unset::Destroy)).await, 0);
        }),
        it("should not set cookie if initial session destroyed", async move || {
            let server = server(options().with_unset(Unset::Destroy), unsets);
            server.get("/").await.is_ok("session destroyed").sets_nothing();
            assert_eq!(server.len().await, 0);
        }),
        differs("should pass session destroy error", async move || {
            let options = options().with_unset(Unset::Destroy);
            let server = server(options.clone(), unsets);
            assert_eq!(fails_at(&server, "delete", None).await, StatusCode::OK, "nothing is stored");
            let first = server.beside(options, set_user).get("/").await;
            let status = fails_at(&server, "delete", Some(first.cookie())).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        }),
    ]
}
