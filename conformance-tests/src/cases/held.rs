//! Calls that are held on their way: inside the backend by a lock, and outside of it by the network.

use std::time::{Duration, Instant};

use session_core::{Error, Revision, Scope, SessionKey};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal, describe, refused, same, that};
use crate::crowd::RECOVERY;
use crate::hooks::Need;
use crate::proxy::Proxy;
use crate::running::Running;
use crate::stretch::stretched;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("HELD-01", Level::Gaps, &[Need::Clock, Need::Lock], held_01),
        Case::new("HELD-02", Level::Gaps, &[Need::Lines, Need::Handles], held_02),
    ]
}

/// How long a record lives that expires while a call waits for it, and how long the call waits. The clock runs meanwhile.
const LIFETIME: Duration = Duration::from_millis(300);
const WAITING: Duration = Duration::from_millis(700);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Update,
    Touch,
    Rotate,
}

/// The store reads its clock when a call begins; the record expires by that clock while the call waits for a lock that another
/// program holds. When the call goes on, everybody else has seen the session end.
async fn held_01(b: Bench) -> Outcome {
    for call in [Call::Update, Call::Touch, Call::Rotate] {
        let (k, new) = (key(&format!("{call:?}")), key(&format!("{call:?}-new")));
        let record = b.lasting(r#"{"a":1}"#, LONG).with_owner(owner("ada"));
        // The connection is there and the statements are prepared: what is measured is the wait.
        let revision = b.store.create(&k, &record).await?;
        let revision = b.store.update(&k, revision, &record).await?;
        b.store.touch(&k, record.expires_at).await?;
        let short = b.lasting(r#"{"a":1}"#, LIFETIME).with_owner(owner("ada"));
        let revision = b.store.update(&k, revision, &short).await?;

        let lock = b.lock(&k).await?;
        let clock = Running::start(b.clock.clone());
        let waiting = tokio::spawn({
            let (store, k, new, record) = (b.store.clone(), k.clone(), new.clone(), record.clone());
            async move {
                match call {
                    Call::Update => store.update(&k, revision, &record).await.map(drop),
                    Call::Touch => store.touch(&k, record.expires_at).await,
                    Call::Rotate => store.rotate(&k, revision, &new, &record).await.map(drop),
                }
            }
        });
        tokio::time::sleep(WAITING).await;
        let has_waited = !waiting.is_finished();
        drop(lock);
        let answer = waiting.await.map_err(|error| Failure::new(format!("the store panicked: {error}")))?;
        drop(clock);
        that(has_waited || answer.is_err(), format!("{call:?} did not wait for the lock: the harness is wrong"))?;
        // One that was given up is as good.
        if !matches!(answer, Err(Error::Unavailable(_))) {
            let what = format!("{call:?} of a record that expired while it waited for a lock");
            refused(&what, answer, Refusal::NotFound)?;
        }
        b.is_gone(&k).await?;
        b.is_gone(&new).await?;
        for index in b.indexes() {
            let count = index.count(Scope::Owner(&owner("ada"))).await?;
            same("the owner's sessions afterwards", &count, &0)?;
        }
        b.store.delete(&k).await?;
        b.store.delete(&new).await?;
    }
    Ok(())
}

/// What a client says is kept on its way while its connection ends, the session ends by another's hand, and then what was said
/// arrives. A store that has said it twice has it back after its end.
async fn held_02(b: Bench) -> Outcome {
    for round in 0..2 {
        for call in ["create", "update", "touch", "rotate"] {
            let (k, new) = (key(&format!("held-{call}-{round}")), key(&format!("new-{call}-{round}")));
            let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
            // The statement is prepared on this connection.
            let revision = life(&b, &key(&format!("warm-{call}-{round}")), &key("warm-new")).await?;
            let revision = if call == "create" { revision } else { b.store.create(&k, &record).await? };
            let later = b.now().saturating_add(LONG * 2);
            b.space.lines().iter().for_each(|line| line.snatch().set(k.as_str()));
            let answer = match call {
                "create" => b.store.create(&k, &record).await.map(drop),
                "update" => b.store.update(&k, revision, &record).await.map(drop),
                "touch" => b.store.touch(&k, later).await,
                _ => b.store.rotate(&k, revision, &new, &record).await.map(drop),
            };
            let has_caught = b.space.lines().iter().any(|line| line.snatch().has_caught());
            b.space.lines().iter().for_each(|line| line.snatch().take_away());
            that(has_caught, format!("the key of a {call} did not pass the lines: the harness is wrong"))?;
            // What was said may have arrived or not. Whoever heard that it has ends the session; the others could not know.
            let is_known = answer.is_ok() || call != "create";
            match answer {
                Ok(()) | Err(Error::Unavailable(_) | Error::NotFound | Error::Conflict | Error::AlreadyExists) => {}
                Err(error) => {
                    return Err(Failure::new(format!("a {call} whose connection ended: {}", describe(&error))));
                }
            }
            for k in [&k, &new] {
                b.peer.delete(k).await?;
            }
            release(&b).await;
            if is_known {
                for k in [&k, &new] {
                    let what = "was logged out, and lives again when the bytes arrive that the network had held";
                    that(b.peer.load(k).await?.is_none(), format!("the session of a {call} {what}"))?;
                }
            }
            for k in [&k, &new] {
                b.peer.delete(k).await?;
            }
            recovers(&b).await?;
        }
    }
    Ok(())
}

async fn release(b: &Bench) {
    // Not with the lines locked.
    let traps: Vec<_> = b.space.lines().iter().map(Proxy::trap).collect();
    for trap in traps {
        trap.release().await;
    }
}

/// Makes each of the calls once, on a key of its own, and returns the last revision.
async fn life(b: &Bench, k: &SessionKey, new: &SessionKey) -> Result<Revision, Failure> {
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    let revision = b.store.create(k, &record).await?;
    let revision = b.store.update(k, revision, &record).await?;
    b.store.touch(k, record.expires_at).await?;
    let revision = b.store.rotate(k, revision, new, &record).await?;
    b.store.delete(new).await?;
    Ok(revision)
}

/// Waits until the handle has found new connections.
async fn recovers(b: &Bench) -> Outcome {
    let start = Instant::now();
    while let Err(error) = b.store.load(&key("nobody")).await {
        that(start.elapsed() < stretched(RECOVERY), format!("the handle does not recover: {}", describe(&error)))?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
