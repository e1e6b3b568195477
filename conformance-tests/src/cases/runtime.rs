//! A handle that was opened in one runtime and is used from another, while the first one stands still or ends.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use session_core::{BoxError, Error};

use crate::bench::{Bench, key, owner};
use crate::case::{Case, Level, TIMEOUT};
use crate::check::{Failure, Outcome, describe, that};
use crate::crowd::{RECOVERY, SLACK};
use crate::hooks::Handle;
use crate::stretch::stretched;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("RUNTIME-01", Level::Gaps, &[], runtime_01)]
}

/// A runtime in a thread of its own, which is driven only while the store is opened.
struct First {
    handle: Handle,
    /// Dropped, the runtime ends.
    ends: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

async fn runtime_01(b: Bench) -> Outcome {
    let first = first(&b).await?;
    works(&b, &first.handle, "stands still").await?;
    drop(first.ends);
    let thread = first.thread;
    let ended = tokio::task::spawn_blocking(move || thread.join()).await;
    that(matches!(ended, Ok(Ok(()))), "the first runtime panicked when it ended")?;
    works(&b, &first.handle, "has ended").await
}

/// Opens a handle in a runtime of its own, and makes the first calls there.
async fn first(b: &Bench) -> Result<First, Failure> {
    let (send, opened) = tokio::sync::oneshot::channel();
    let (ends, ended) = mpsc::channel::<()>();
    let opening = (b.factory.open)(b.space.clone());
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let thread = std::thread::spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(send.send(Err(error.into()))),
        };
        let handle: Result<Handle, BoxError> = runtime.block_on(async {
            let handle = opening.await?;
            let calls = (0..8).map(|number| {
                let (store, record) = (handle.store.clone(), record.clone());
                tokio::spawn(async move {
                    let k = key(&format!("first-{number}"));
                    store.create(&k, &record).await?;
                    store.delete(&k).await
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await??;
            }
            Ok(handle)
        });
        drop(send.send(handle));
        // Nobody drives the runtime; it stands still until it ends.
        let _ = ended.recv();
        drop(runtime);
    });
    let handle = opened.await.map_err(|_| Failure::new("the store panicked while it was opened"))??;
    Ok(First { handle, ends, thread })
}

/// Fails unless every call succeeds after the handle had a time-out to find out, and two seconds more.
async fn works(b: &Bench, handle: &Handle, how: &str) -> Outcome {
    let limit = stretched(TIMEOUT + SLACK);
    let well = Instant::now() + stretched(TIMEOUT + RECOVERY);
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let (store, k) = (&handle.store, key("k"));
    let mut has_succeeded = 0;
    loop {
        let is_late = Instant::now() >= well;
        let calls = async {
            let revision = store.create(&k, &record).await?;
            store.load(&k).await?;
            store.touch(&k, record.expires_at).await?;
            store.update(&k, revision, &record).await?;
            store.delete_expired(10).await?;
            store.delete(&k).await
        };
        match in_time(calls, limit * 6).await {
            Some(Ok(_)) => has_succeeded += 1,
            None => {
                return Err(Failure::new(format!("a call never ends when the runtime that opened the handle {how}")));
            }
            Some(Err(error)) => {
                has_succeeded = 0;
                let why = describe(&error);
                that(
                    !is_late,
                    format!("calls are still refused when the runtime that opened the handle {how}: {why}"),
                )?;
                drop(in_time(store.delete(&k), limit).await);
            }
        }
        if has_succeeded == 5 {
            return Ok(());
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Error>>, limit: Duration) -> Option<Result<T, Error>> {
    tokio::time::timeout(limit, call).await.ok()
}
