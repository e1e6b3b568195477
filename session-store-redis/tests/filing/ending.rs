//! What the end of an owner's sessions leaves in a cluster when it dies on its way.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use session_core::{BoxError, OwnerId, Revision, SessionIndex, SessionKey, SessionStore};

use crate::{open, record};

/// What begins after it is not ended by it: a session that is rotated lives, and its rotation is no absence.
pub(crate) async fn given_up(url: String) -> Result<(), BoxError> {
    let (store, ..) = open(&url).await?;
    let store = store.with_timeout(Duration::from_millis(1000));
    for polls in 2..7 {
        let owner: OwnerId = format!("ada-{polls}").parse()?;
        {
            let mut call = pin!(store.delete_owned(&owner, None));
            for _ in 0..polls {
                if poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // What is under way arrives.
        tokio::time::sleep(Duration::from_millis(50)).await;
        for _ in 0..3 {
            let (old, new) = (fresh()?, fresh()?);
            let begun = record(60_000)?.with_owner(owner.clone());
            let revision = store.create(&old, &begun).await?;
            let rotated = store.rotate(&old, revision, &new, &begun).await;
            rotated.map_err(|error| format!("rotate, given up after {polls} polls: {error:?}"))?;
            if store.load(&new).await?.is_none() {
                return Err(format!("the session is gone, given up after {polls} polls").into());
            }
        }
    }
    Ok(())
}

fn fresh() -> Result<SessionKey, BoxError> {
    Ok(format!("{:016x}", Revision::fresh().number()).parse()?)
}
