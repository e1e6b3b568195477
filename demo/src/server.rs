//! From the options to a server that ends when it is told to.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use session_core::{InvalidExpiry, SessionIndex, Sweeper};
use session_tower::{InvalidSecrets, Secrets};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::{signal, time};

use crate::app::{self, App};
use crate::options::Options;
use crate::policy;
use crate::secret::{Secret, SecretError};
use crate::store;

/// How long running requests may take after a signal; the slowest that is allowed takes five seconds.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often expired sessions are swept, on average. They are dead at once; this frees their space.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Why the server did not start, or ended without being told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Secrets(#[from] InvalidSecrets),
    #[error(transparent)]
    Expiry(#[from] InvalidExpiry),
    #[error("cannot listen on `{0}`")]
    Listen(String, #[source] io::Error),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("cannot serve")]
    Serve(#[source] io::Error),
}

/// Serves until a signal says to stop; then answers what is running, and closes the store.
pub(crate) async fn serve(options: Options, secret: Option<String>) -> Result<(), ServeError> {
    let listener =
        TcpListener::bind(&options.address).await.map_err(|error| ServeError::Listen(options.address, error))?;
    let address = listener.local_addr().map_err(ServeError::Serve)?;
    let opened = store::open(&options.store).await?;
    let secret = Secret::find(secret, opened.secret_file.as_deref())?;
    let secrets = Secrets::new([secret.as_bytes()])?;
    let config = policy::config(opened.store.store.clone(), secrets, policy::cookie_at(address))?;
    let app = App { store: opened.store.store.clone(), store_title: opened.title.as_str().into() };

    let (stop, stopping) = watch::channel(false);
    let signals = Signals::listen().map_err(ServeError::Signals)?;
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("stopping");
        // Nobody is left to hear it only if the server has ended already.
        let _ = stop.send(true);
    });
    let sweeper = tokio::spawn(sweep(opened.store.store.clone(), stopped(stopping.clone())));

    announce(address, &opened.title);
    let serving = axum::serve(listener, app::router(app, config)).with_graceful_shutdown(stopped(stopping.clone()));
    let outcome = tokio::select! {
        outcome = serving.into_future() => outcome,
        () = async { stopped(stopping).await; time::sleep(FAREWELL).await } => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    };
    if sweeper.await.is_err() {
        tracing::error!("the sweeper panicked");
    }
    opened.store.close().await;
    tracing::info!("stopped");
    outcome.map_err(ServeError::Serve)
}

/// Says where the application is, and whether browsers will keep its cookie there.
fn announce(address: SocketAddr, store: &str) {
    println!("Sessions in {store}\nListening on http://{address} (Ctrl-C stops it)");
    if !address.ip().is_loopback() {
        tracing::warn!(
            "this is not a loopback address, so the cookie is for HTTPS only: put a proxy with TLS in front, or a \
             browser will not stay logged in"
        );
    }
}

/// Frees the space of expired sessions until it is told to stop.
async fn sweep(store: Arc<dyn SessionIndex>, stop: impl Future<Output = ()>) {
    let sweeper = Sweeper::new(store).with_interval(SWEEP_INTERVAL);
    sweeper
        .run(time::sleep, stop, |outcome| match outcome {
            Ok(report) if report.removed > 0 => tracing::info!("swept {} expired sessions", report.removed),
            Ok(_) => tracing::debug!("swept, nothing had expired"),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the sweep failed"),
        })
        .await;
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // Without a sender nobody could say it any more.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// What asks a program to end: Ctrl-C, and where there is one the signal of service managers.
struct Signals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(self) {
        // If it cannot be waited for, the window can still be closed.
        if signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
