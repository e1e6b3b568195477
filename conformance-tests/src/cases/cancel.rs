use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use session_core::{Error, Record, Result, Revision, SessionKey, SessionStore};

use crate::bench::{Bench, LONG, json, key};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, that};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("CANCEL-01", Level::Gaps, &[], cancel_01)]
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Create,
    Update,
    Touch,
    Rotate,
    Delete,
}

/// When a future is dropped: the one finds the gaps of a store in memory, the other those of one that waits for a server.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Polls(usize),
    Time(Duration),
}

async fn cancel_01(b: Bench) -> Outcome {
    let cuts = (0..12).map(Cut::Polls).chain((0..10).map(|power| Cut::Time(Duration::from_micros(25 << power))));
    for (round, cut) in cuts.enumerate() {
        for call in [Call::Create, Call::Update, Call::Touch, Call::Rotate, Call::Delete] {
            dropped(&b, call, round, cut).await?;
        }
    }
    Ok(())
}

type Future = std::pin::Pin<Box<dyn std::future::Future<Output = Result<()>> + Send>>;

async fn drop_at(cut: Cut, mut future: Future) {
    match cut {
        Cut::Time(pause) => drop(tokio::time::timeout(pause, future).await),
        Cut::Polls(polls) => {
            for _ in 0..polls {
                let poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
                if poll.await {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn dropped(b: &Bench, call: Call, round: usize, cut: Cut) -> Outcome {
    let (k, new) = (key(&format!("{call:?}-{round}")), key(&format!("{call:?}-{round}-new")));
    let (before, mut after) = (b.long(r#"{"n":"before"}"#), b.long(r#"{"n":"after"}"#));
    let revision = match call {
        Call::Create => Revision::fresh(),
        _ => b.store.create(&k, &before).await?,
    };
    if matches!(call, Call::Touch) {
        after = b.lasting(before.data.as_str(), LONG * 2);
    }
    drop_at(cut, start(b.store.clone(), call, k.clone(), revision, new.clone(), after.clone())).await;

    // The call may still be on its way; what it leaves is the old record or the new one, wherever it is seen, and
    // the store answers and takes writes.
    let last = json(r#"{"n":"last"}"#);
    for attempt in 0.. {
        let seen = (b.peer.load(&k).await?, b.peer.load(&new).await?);
        let is_old = |record: &Record| *record == before;
        let is_new = |record: &Record| *record == after;
        let (here, allowed) = match (&seen, call) {
            ((None, None), Call::Create | Call::Delete) => break,
            ((None, Some((record, revision))), Call::Rotate) => ((&new, record, *revision), is_new(record)),
            ((Some((record, revision)), None), Call::Create) => ((&k, record, *revision), is_new(record)),
            ((Some((record, revision)), None), Call::Delete | Call::Rotate) => {
                ((&k, record, *revision), is_old(record))
            }
            ((Some((record, revision)), None), _) => ((&k, record, *revision), is_old(record) || is_new(record)),
            // The two loads of a rotation may have been made before and after it.
            (_, Call::Rotate) if attempt < 3 => continue,
            _ => {
                return Err(Failure::new(format!(
                    "a dropped {call:?} left neither the old record nor the new one: {seen:?}"
                )));
            }
        };
        that(allowed, format!("a dropped {call:?} left {}", here.1.data.as_str()))?;
        let mut write = here.1.clone();
        write.data = last.clone();
        match b.store.update(here.0, here.2, &write).await {
            Ok(_) => break,
            Err(Error::Conflict | Error::NotFound) if attempt < 100 => {}
            Err(error) => return Err(error.into()),
        }
    }
    b.store.delete(&k).await?;
    b.store.delete(&new).await?;
    Ok(())
}

fn start(
    store: Arc<dyn SessionStore>,
    call: Call,
    k: SessionKey,
    revision: Revision,
    new: SessionKey,
    record: Record,
) -> Future {
    Box::pin(async move {
        match call {
            Call::Create => store.create(&k, &record).await.map(drop),
            Call::Update => store.update(&k, revision, &record).await.map(drop),
            Call::Touch => store.touch(&k, record.expires_at).await,
            Call::Rotate => store.rotate(&k, revision, &new, &record).await.map(drop),
            Call::Delete => store.delete(&k).await.map(drop),
        }
    })
}
