//! A subscriber that looks at the session in every span and event: nothing is traced under the session's lock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use session_http::Session;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{App, Browser};

/// Looks at the session of the request, as one does that adds the user's name to every span.
#[derive(Clone, Default)]
struct Onlooker {
    session: Arc<Mutex<Option<Session>>>,
    looks: Arc<AtomicU32>,
}

impl Onlooker {
    fn look(&self) {
        let session = self.session.lock().expect("no test panics under this lock").clone();
        if let Some(session) = session {
            drop((session.owner(), session.is_empty(), format!("{session:?}")));
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Subscriber for Onlooker {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.look();
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.look();
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Does it with the onlooker, on a thread that a deadlock cannot keep the test from leaving.
fn under_the_eyes(handler: impl AsyncFnOnce(&Session) + Send + 'static) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let onlooker = Onlooker::default();
        let looks = onlooker.looks.clone();
        let watched = onlooker.session.clone();
        let app = App::new();
        tracing::subscriber::with_default(onlooker, || {
            runtime.expect("the test machine has a runtime").block_on(async {
                let mut browser = app.browser().await;
                app.request(&mut browser, async |session| {
                    *watched.lock().expect("no test panics under this lock") = Some(session.clone());
                    handler(session).await;
                })
                .await
            })
        });
        done.send(looks.load(Ordering::Relaxed))
    });
    let looks = wait.recv_timeout(Duration::from_secs(10)).expect("nothing is traced under the lock");
    assert!(looks > 0, "there was something to see");
}

#[test]
fn a_commit_can_be_looked_at() {
    under_the_eyes(async |session| session.set("n", &1).expect("a number is JSON"));
}

#[test]
fn a_login_can_be_looked_at() {
    under_the_eyes(async |session| session.login("ada").expect("a short name is an owner"));
}

#[test]
fn a_logout_can_be_looked_at() {
    under_the_eyes(async |session| session.logout());
}

#[test]
fn a_save_can_be_looked_at() {
    under_the_eyes(async |session| {
        session.set("n", &1).expect("a number is JSON");
        session.save().await.expect("the store works");
    });
}

#[test]
fn changes_that_nobody_commits_can_be_looked_at() {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let onlooker = Onlooker::default();
        let watched = onlooker.session.clone();
        let app = App::new();
        tracing::subscriber::with_default(onlooker, || {
            runtime.expect("the test machine has a runtime").block_on(async {
                let visit = app.visit(&Browser::default());
                let session = visit.open().await;
                session.set("n", &1).expect("a number is JSON");
                *watched.lock().expect("no test panics under this lock") = Some(session);
                visit.abandon().await;
            });
        });
        done.send(())
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("nothing is traced under the lock");
}
