//! A trap on a line: what a client says is kept, its connection ends, and what it said arrives later.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Keeps the bytes that hold a certain word, once, while the client's connection ends; then hands them on.
#[derive(Debug)]
pub(crate) struct Snatch {
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    Set(Vec<u8>),
    /// The bytes are kept.
    Caught,
    /// They are on their way.
    Released,
    /// The server has had them.
    Delivered,
}

/// How long the server is waited for after it was given what was kept.
const PATIENCE: Duration = Duration::from_millis(500);

impl Default for Snatch {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::Idle) }
    }
}

impl Snatch {
    /// Sets the trap for the next bytes that hold the word.
    pub(crate) fn set(&self, word: &str) {
        self.state.send_replace(State::Set(word.as_bytes().to_vec()));
    }

    /// Takes the trap away, if nothing was caught.
    pub(crate) fn take_away(&self) {
        self.state.send_if_modified(|state| {
            let is_set = matches!(state, State::Set(_));
            if is_set {
                *state = State::Idle;
            }
            is_set
        });
    }

    pub(crate) fn has_caught(&self) -> bool {
        *self.state.borrow() == State::Caught
    }

    /// Hands on what was caught, and waits until the server has had it.
    pub(crate) async fn release(&self) {
        if self.has_caught() {
            self.state.send_replace(State::Released);
            // The sender is this trap's own: it is there.
            drop(self.state.subscribe().wait_for(|state| *state == State::Delivered).await);
        }
    }

    /// Says whether these bytes are to be kept.
    pub(crate) fn takes(&self, said: &[u8]) -> bool {
        self.state.send_if_modified(|state| match state {
            State::Set(word) if said.windows(word.len()).any(|window| window == word) => {
                *state = State::Caught;
                true
            }
            _ => false,
        })
    }

    /// Keeps the bytes until they are released.
    pub(crate) async fn deliver_later(&self, server: &mut TcpStream, said: &[u8]) {
        drop(self.state.subscribe().wait_for(|state| *state == State::Released).await);
        let mut answer = vec![0; 1024];
        if server.write_all(said).await.is_ok() {
            drop(tokio::time::timeout(PATIENCE, server.read(&mut answer)).await);
            // What the server does beside its answer, it has done.
            tokio::time::sleep(PATIENCE / 10).await;
        }
        self.state.send_replace(State::Delivered);
    }
}
