//! What is removed is removed from the backend's bytes, and not only from what its language shows.

use std::time::Duration;

use session_core::{Record, SessionKey};

use crate::bench::{Bench, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("RESIDUE-01", Level::Calls, &[Need::Bytes], residue_01)]
}

/// The parts of a session that could stay somewhere, as texts that stand nowhere else.
struct Traces {
    key: SessionKey,
    record: Record,
    words: [(&'static str, String); 3],
}

/// Makes a session that is like no other one. Its data is of a size that some backends keep elsewhere than the rest.
fn traces(b: &Bench, name: &str, size: usize) -> Traces {
    let unique = format!("{:016x}", session_core::Revision::fresh().number());
    let (k, o, d) = (format!("key-{unique}-{name}"), format!("owner-{unique}-{name}"), format!("data-{unique}-{name}"));
    let record = b.long(&format!(r#"{{"{d}":"{}"}}"#, "x".repeat(size))).with_owner(owner(&o));
    Traces { key: key(&k), record, words: [("key", k), ("owner", o), ("data", d)] }
}

async fn residue_01(b: Bench) -> Outcome {
    // Others stay, so that what is removed lies between them.
    let stays = [traces(&b, "first", 100), traces(&b, "last", 100)];
    b.store.create(&stays[0].key, &stays[0].record).await?;
    for size in [100, 20_000] {
        let (deleted, swept, updated) =
            (traces(&b, "deleted", size), traces(&b, "swept", size), traces(&b, "updated", size));
        let (owned, rotated) = (traces(&b, "owned", size), traces(&b, "rotated", size));
        b.store.create(&deleted.key, &deleted.record).await?;
        shows(&b, &deleted).await?;
        b.store.delete(&deleted.key).await?;
        shows_nothing_of(&b, &deleted, "a delete").await?;

        let mut over = swept.record.clone();
        over.expires_at = b.now().saturating_sub(Duration::from_secs(1));
        b.store.create(&swept.key, &over).await?;
        b.store.delete_expired(10).await?;
        shows_nothing_of(&b, &swept, "a sweep").await?;

        let revision = b.store.create(&updated.key, &updated.record).await?;
        b.store.update(&updated.key, revision, &stays[1].record).await?;
        b.store.delete(&updated.key).await?;
        shows_nothing_of(&b, &updated, "an update and a delete").await?;

        let revision = b.store.create(&rotated.key, &rotated.record).await?;
        b.store.rotate(&rotated.key, revision, &stays[1].key, &stays[1].record).await?;
        b.store.delete(&stays[1].key).await?;
        shows_nothing_of(&b, &rotated, "a rotation and a delete").await?;

        if let Some(index) = b.indexes().next() {
            b.store.create(&owned.key, &owned.record).await?;
            index.delete_owned(&owner(&owned.words[1].1), None).await?;
            shows_nothing_of(&b, &owned, "delete_owned").await?;
        }
    }
    let cleared = traces(&b, "cleared", 100);
    b.store.create(&cleared.key, &cleared.record).await?;
    if let Some(index) = b.indexes().next() {
        index.clear().await?;
        shows_nothing_of(&b, &cleared, "clear").await?;
        shows_nothing_of(&b, &stays[0], "clear").await?;
    }
    Ok(())
}

/// Fails unless the data can be found while it is there: it may be that it is kept in another form.
async fn shows(b: &Bench, traces: &Traces) -> Outcome {
    let bytes = b.bytes().await?;
    let is_shown = traces.words.iter().any(|(_, word)| is_in(&bytes, word));
    that(is_shown, "the bytes show nothing of a record that is stored: the harness is wrong")
}

#[track_caller]
fn shows_nothing_of(b: &Bench, traces: &Traces, after: &str) -> impl Future<Output = Outcome> {
    let failure = Failure::new("");
    async move {
        let bytes = b.bytes().await?;
        match traces.words.iter().find(|(_, word)| is_in(&bytes, word)) {
            Some((what, _)) => {
                Err(failure.saying(format!("after {after} the {what} of the session is still in the backend's bytes")))
            }
            None => Ok(()),
        }
    }
}

fn is_in(bytes: &[Vec<u8>], word: &str) -> bool {
    // As text, in which the standard library searches fast.
    bytes.iter().any(|bytes| String::from_utf8_lossy(bytes).contains(word))
}
