//! A server of actix-web, and clients over TCP that leave.

#[path = "../../session-tower/tests/distant/mod.rs"]
mod distant;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, rt, web};
use distant::Distant;
use session_actix::{Error, Secrets, Session, SessionMiddleware};
use session_core::{Scope, SessionIndex as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn login(session: Session) -> Result<&'static str, Error> {
    session.login("ada")?;
    Ok("hello, ada")
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye"
}

/// Logs out, and takes a while until it answers.
async fn slow(session: Session) -> &'static str {
    session.logout();
    rt::time::sleep(Duration::from_secs(60)).await;
    "bye"
}

async fn start(store: Arc<Distant>) -> SocketAddr {
    let secrets = Secrets::new(["a secret of the tests, 32 bytes or more"]).expect("it is long enough");
    let sessions = SessionMiddleware::new(store, secrets);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(sessions.clone())
            .route("/login", web::post().to(login))
            .route("/logout", web::post().to(logout))
            .route("/slow", web::post().to(slow))
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a local port is free");
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

async fn send(address: SocketAddr, path: &str, cookie: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    stream
}

async fn logged_in(address: SocketAddr) -> String {
    let mut stream = send(address, "/login", "").await;
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.expect("it answers");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    let line = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    line.split(';').next().unwrap_or_default().to_owned()
}

async fn lives(store: &Distant) -> u64 {
    store.count(Scope::All).await.expect("memory does not fail")
}

#[actix_web::test]
async fn a_logout_is_done_though_its_client_left_while_it_was_stored() {
    let store = Arc::new(Distant::default());
    let address = start(store.clone()).await;
    let cookie = logged_in(address).await;
    store.set_way(Duration::from_millis(500), Duration::ZERO);
    let stream = send(address, "/logout", &cookie).await;
    rt::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    for _ in 0..100 {
        if lives(&store).await == 0 {
            return;
        }
        rt::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is still logged in");
}

#[actix_web::test]
async fn a_client_that_leaves_before_the_handler_has_answered_changes_nothing() {
    let store = Arc::new(Distant::default());
    let address = start(store.clone()).await;
    let cookie = logged_in(address).await;
    let stream = send(address, "/slow", &cookie).await;
    rt::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    rt::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(lives(&store).await, 1);
}
