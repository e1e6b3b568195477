//! Calls that are held on their way: inside the backend by a lock, and outside of it by the network.

use std::time::Duration;

use session_core::{Error, Scope};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal, refused, same, that};
use crate::hooks::Need;
use crate::running::Running;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("HELD-01", Level::Gaps, &[Need::Clock, Need::Lock], held_01)]
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
