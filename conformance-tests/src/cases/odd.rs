//! Odd times in a backend's life: no room for more, a namespace that was replaced under open handles; and what errors say.

use std::time::Duration;

use session_core::{Error, Record, Result, SessionKey};

use crate::bench::{Bench, key, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, same, that};
use crate::hooks::{Damage, Need, Outage};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("FULL-01", Level::Gaps, &[Need::Full], full_01),
        Case::new("REPLACED-01", Level::Gaps, &[Need::Replacement, Need::Opening], replaced_01),
        Case::new("SECRET-01", Level::Calls, &[], secret_01),
    ]
}

async fn full_01(b: Bench) -> Outcome {
    let record = b.long(r#"{"old":1}"#).with_owner(owner("ada"));
    let names: Vec<SessionKey> = (0..6).map(|number| key(&format!("k-{number}"))).collect();
    let mut revisions = Vec::new();
    for k in &names {
        revisions.push(b.store.create(k, &record).await?);
    }
    let mut over = record.clone();
    over.expires_at = b.now().saturating_sub(Duration::from_secs(1));
    for number in 0..3 {
        b.store.create(&key(&format!("over-{number}")), &over).await?;
    }
    b.fill(Outage::Begin).await?;
    let outcome = while_full(&b, &names, &revisions, &record).await;
    // Whatever was found, other cases may need the backend.
    b.fill(Outage::End).await?;
    outcome?;
    let k = key("afterwards");
    let revision = b.store.create(&k, &record).await?;
    b.store.update(&k, revision, &record).await?;
    b.holds(&k, &record).await?;
    Ok(())
}

async fn while_full(b: &Bench, names: &[SessionKey], revisions: &[session_core::Revision], record: &Record) -> Outcome {
    for k in names {
        b.holds(k, record).await?;
    }
    // What needs room is made or refused, and not lost, and not half of it.
    let larger = b.long(&format!(r#"{{"new":"{}"}}"#, "x".repeat(2000))).with_owner(owner("ada"));
    let (updated, created) =
        (b.store.update(&names[0], revisions[0], &larger).await, b.store.create(&key("new"), &larger).await);
    b.holds(&names[0], if is_made("an update", updated.map(drop))? { &larger } else { record }).await?;
    match is_made("a create", created.map(drop))? {
        true => drop(b.holds(&key("new"), &larger).await?),
        false => b.is_gone(&key("new")).await?,
    }
    // What ends sessions or frees room works.
    let works = |call: &str, error: Error| Failure::new(format!("{call} while there is no room: {error}"));
    that(b.store.delete(&names[1]).await.map_err(|error| works("a delete", error))?, "the delete found nothing")?;
    b.is_gone(&names[1]).await?;
    b.swept("the sweep", b.store.delete_expired(10).await.map_err(|error| works("a sweep", error))?, 3)?;
    if let Some(index) = b.indexes().next() {
        let kept = names[2].clone();
        index.delete_owned(&owner("ada"), Some(&kept)).await.map_err(|error| works("delete_owned", error))?;
        b.holds(&kept, record).await?;
        b.is_gone(&names[3]).await?;
        same("the sessions that clear ends", &index.clear().await.map_err(|error| works("clear", error))?, &1)?;
    }
    Ok(())
}

fn is_made(call: &str, answer: Result<()>) -> std::result::Result<bool, Failure> {
    match answer {
        Ok(()) => Ok(true),
        Err(Error::Unavailable(_) | Error::Backend(_)) => Ok(false),
        Err(error) => Err(Failure::new(format!("{call} while there is no room was refused with «{error}»"))),
    }
}

/// A namespace that is replaced has one truth, the new one: no handle shows what was, and what one acknowledges all of them
/// find, the one that is opened afterwards first. A handle may refuse instead.
async fn replaced_01(b: Bench) -> Outcome {
    let record = b.long(r#"{"old":1}"#).with_owner(owner("ada"));
    b.store.create(&key("old"), &record).await?;
    b.holds(&key("old"), &record).await?;
    b.replace().await?;
    let fresh = b.open(b.space.namespace()).await?;
    let handles = [("first", &b.store), ("second", &b.peer), ("new", &fresh.store)];
    for round in 0..3 {
        for (name, writer) in handles {
            let k = key(&format!("{name}-{round}"));
            let is_written = writer.create(&k, &record).await.is_ok();
            that(is_written || name != "new", "a handle that was opened after the replacement refuses a create")?;
            for (other, reader) in handles {
                if let Ok(Some(_)) = reader.load(&key("old")).await {
                    return Err(Failure::new(format!(
                        "the {other} handle shows what was stored before the replacement"
                    )));
                }
                // A handle that refuses knows that something is wrong.
                if let (true, Ok(None)) = (is_written, reader.load(&k).await) {
                    return Err(Failure::new(format!(
                        "what the {name} handle acknowledged the {other} one does not find"
                    )));
                }
            }
        }
    }
    Ok(())
}

async fn secret_01(b: Bench) -> Outcome {
    let words = ["a-key-that-nobody-shall-see", "an-owner-that-nobody-shall-see", "data-that-nobody-shall-see"];
    let (k, stale) = (key(words[0]), session_core::Revision::fresh());
    let record = b.long(&format!(r#"{{"{}":1}}"#, words[2])).with_owner(owner(words[1]));
    let large = b.long(&format!(r#"{{"{}":"{}"}}"#, words[2], "x".repeat(2 * 1024 * 1024))).with_owner(owner(words[1]));
    let mut errors: Vec<(&str, Option<Error>)> = vec![
        ("an update of nothing", b.store.update(&k, stale, &record).await.err()),
        ("a create that is too large", b.store.create(&k, &large).await.err()),
    ];
    b.store.create(&k, &record).await?;
    errors.push(("a create of what is there", b.store.create(&k, &record).await.err()));
    errors.push(("an update that conflicts", b.store.update(&k, stale, &record).await.err()));
    errors.push(("a rotation to itself", b.store.rotate(&k, stale, &k, &record).await.err()));
    if b.damages() {
        b.damage(&k, Damage::Format).await?;
        errors.push(("a load of an unknown format", b.store.load(&k).await.err()));
        b.store.delete(&k).await?;
        b.store.create(&k, &record).await?;
        b.damage(&k, Damage::Data(r#"{"data-that-nobody-shall-see":"#)).await?;
        errors.push(("a load of damaged data", b.store.load(&k).await.err()));
    }
    for (call, error) in errors {
        let Some(error) = error else { continue };
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let text: String = causes.map(|error| format!("{error} {error:?}\n")).collect();
        if let Some(word) = words.iter().find(|word| text.contains(**word)) {
            return Err(Failure::new(format!("the error of {call} shows «{word}»")));
        }
    }
    Ok(())
}
