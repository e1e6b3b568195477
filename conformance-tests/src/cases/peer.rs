use std::sync::Arc;

use session_core::{Scope, SessionStore};

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("PEER-01", Level::Calls, &[Need::Handles], peer_01),
        Case::new("PEER-02", Level::Calls, &[Need::Opening], peer_02),
        Case::new("PEER-03", Level::Calls, &[Need::Processes], peer_03),
        Case::new("REOPEN-01", Level::Calls, &[Need::Processes], reopen_01),
    ]
}

async fn peer_01(b: Bench) -> Outcome {
    see_each_other(&b, &b.store, &b.peer).await?;
    for index in b.indexes() {
        same("the sessions that are left", &index.count(Scope::All).await?, &0)?;
    }
    Ok(())
}

async fn peer_03(b: Bench) -> Outcome {
    let process: Arc<dyn SessionStore> = Arc::new(b.process().await?);
    see_each_other(&b, &b.store, &process).await
}

/// Fails unless what one handle writes is at once what the other one reads, in both directions.
async fn see_each_other(b: &Bench, one: &Arc<dyn SessionStore>, two: &Arc<dyn SessionStore>) -> Outcome {
    for (round, (writer, reader)) in [(one, two), (two, one), (one, two), (two, one)].into_iter().enumerate() {
        let (k, new) = (key(&format!("k-{round}")), key(&format!("new-{round}")));
        let sees = async |key, record: &session_core::Record| {
            same(
                "what the other handle loads",
                &reader.load(key).await?.map(|(record, _)| record),
                &Some(record.clone()),
            )
        };
        // The reader looks first, so that it has something old to remember.
        that(reader.load(&k).await?.is_none(), "the other handle sees what is not there")?;
        let mut record = b.long(r#"{"n":1}"#).with_owner(owner("ada"));
        let revision = writer.create(&k, &record).await?;
        sees(&k, &record).await?;
        refused("a create by the other handle", reader.create(&k, &record).await, Refusal::AlreadyExists)?;
        record.data = crate::bench::json(r#"{"n":2}"#);
        let newer = writer.update(&k, revision, &record).await?;
        sees(&k, &record).await?;
        refused("a stale update by the other handle", reader.update(&k, revision, &record).await, Refusal::Conflict)?;
        record.expires_at = b.now().saturating_add(LONG * 2);
        writer.touch(&k, record.expires_at).await?;
        sees(&k, &record).await?;
        let rotated = writer.rotate(&k, newer, &new, &record).await?;
        that(reader.load(&k).await?.is_none(), "the other handle still sees the old key after a rotation")?;
        sees(&new, &record).await?;
        reader.update(&new, rotated, &record).await?;
        that(writer.delete(&new).await?, "the session was not live at the delete")?;
        that(reader.load(&new).await?.is_none(), "the other handle still sees what was deleted")?;
        refused("a touch by the other handle", reader.touch(&new, record.expires_at).await, Refusal::NotFound)?;
        that(!reader.delete(&new).await?, "the other handle deleted what was deleted")?;
    }
    Ok(())
}

async fn peer_02(b: Bench) -> Outcome {
    const HANDLES: usize = 10;
    let name = format!("{}_new", b.space.namespace());
    let b = Arc::new(b);
    let opened = together((0..HANDLES).map(|_| {
        let (b, name) = (Arc::clone(&b), name.clone());
        async move { b.open(&name).await }
    }))
    .await?;
    let mut handles = Vec::new();
    for handle in opened {
        handles.push(handle?);
    }
    let record = b.long(r#"{"a":1}"#);
    for (number, handle) in handles.iter().enumerate() {
        handle.store.create(&key(&format!("k-{number}")), &record).await?;
    }
    handles.push(b.open(&name).await?);
    for handle in &handles {
        for number in 0..HANDLES {
            let loaded = handle.store.load(&key(&format!("k-{number}"))).await?.map(|(record, _)| record);
            same("what every handle loads", &loaded, &Some(record.clone()))?;
        }
    }
    for number in 0..HANDLES {
        handles[0].store.delete(&key(&format!("k-{number}"))).await?;
    }
    Ok(())
}

async fn reopen_01(b: Bench) -> Outcome {
    const SESSIONS: usize = 40;
    let process = b.process().await?;
    let name = |number: usize| key(&format!("k-{number}"));
    let mut wanted = Vec::new();
    for number in 0..SESSIONS {
        let mut record = b.long(&format!(r#"{{"number":{number}}}"#)).with_owner(owner("ada"));
        let revision = process.create(&name(number), &record).await?;
        match number % 4 {
            0 => {
                record.data = crate::bench::json(&format!(r#"{{"updated":{number}}}"#));
                process.update(&name(number), revision, &record).await?;
            }
            1 => {
                record.expires_at = b.now().saturating_add(LONG * 2);
                process.touch(&name(number), record.expires_at).await?;
            }
            2 => drop(process.rotate(&name(number), revision, &key(&format!("new-{number}")), &record).await?),
            _ => drop(process.delete(&name(number)).await?),
        }
        wanted.push(record);
    }
    process.kill().await?;
    let reopened = b.open(b.space.namespace()).await?;
    for store in [&b.store, &reopened.store] {
        for (number, record) in wanted.iter().enumerate() {
            let here = match number % 4 {
                2 => key(&format!("new-{number}")),
                _ => name(number),
            };
            let loaded = store.load(&here).await?.map(|(record, _)| record);
            let record = (number % 4 != 3).then(|| record.clone());
            same(&format!("what {here} holds after the process was killed"), &loaded, &record)?;
            if number % 4 == 2 {
                that(store.load(&name(number)).await?.is_none(), "an old key lives after the process was killed")?;
            }
        }
    }
    for index in reopened.index.iter() {
        let owned = index.count(Scope::Owner(&owner("ada"))).await?;
        same("the owner's sessions after the process was killed", &owned, &(SESSIONS as u64 * 3 / 4))?;
    }
    Ok(())
}
