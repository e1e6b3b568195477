//! What every call does with a record that is stored and cannot be read.

use session_core::{Error, Result, Revision, Scope, SessionKey};

use crate::bench::{Bench, LONG, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, Refusal, refused, same, that};
use crate::hooks::{Damage, Need};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("UNREADABLE-01", Level::Calls, &[Need::Damage], unreadable_01),
        Case::new("UNREADABLE-02", Level::Calls, &[Need::Damage], unreadable_02),
        Case::new("UNREADABLE-03", Level::Calls, &[Need::Damage], unreadable_03),
        Case::new("UNREADABLE-04", Level::Calls, &[Need::Damage], unreadable_04),
    ]
}

const DAMAGES: [Damage; 2] = [Damage::Format, Damage::Data("{]}")];

/// Stores a record of ada's and damages it.
async fn broken(b: &Bench, name: &str, damage: Damage) -> std::result::Result<(SessionKey, Revision), Failure> {
    let k = key(name);
    let revision = b.store.create(&k, &b.long(r#"{"a":1}"#).with_owner(owner("ada"))).await?;
    b.damage(&k, damage).await?;
    Ok((k, revision))
}

/// Fails unless the record is stored and still cannot be read.
async fn is_as_it_was(b: &Bench, k: &SessionKey, after: &str) -> Outcome {
    for store in [&b.store, &b.peer] {
        refused(&format!("a load after {after}"), store.load(k).await, Refusal::Corrupt)?;
    }
    Ok(())
}

async fn unreadable_01(b: Bench) -> Outcome {
    for damage in DAMAGES {
        let (k, revision) = broken(&b, "k", damage).await?;
        let record = b.lasting(r#"{"b":2}"#, LONG * 2).with_owner(owner("bob"));
        let before = b.raw_if_possible().await?;
        is_as_it_was(&b, &k, "the damage").await?;
        let calls: [(&str, Result<()>); 5] = [
            ("a touch", b.store.touch(&k, record.expires_at).await),
            ("a rotation", b.store.rotate(&k, revision, &key("new"), &record).await.map(drop)),
            ("a rotation that conflicts", b.store.rotate(&k, Revision::fresh(), &key("new"), &record).await.map(drop)),
            ("an update that conflicts", b.store.update(&k, Revision::fresh(), &record).await.map(drop)),
            ("an update", b.store.update(&k, revision, &record).await.map(drop)),
        ];
        for (call, answer) in calls {
            let what = format!("{call} of a record with {damage:?}");
            match (b.is_in_data(damage), answer) {
                // Data that a call does not read cannot stop it: it does what it does with other data.
                (true, Ok(()) | Err(Error::NotFound | Error::Conflict)) => {}
                (_, answer) => refused(&what, answer, Refusal::Corrupt)?,
            }
        }
        if !b.is_in_data(damage) {
            b.raw_is(&before, "update, touch and rotate of a record of an unknown format").await?;
            is_as_it_was(&b, &k, "update, touch and rotate").await?;
            b.is_gone(&key("new")).await?;
        }
        for k in [k, key("new")] {
            b.store.delete(&k).await?;
        }
    }
    Ok(())
}

async fn unreadable_02(b: Bench) -> Outcome {
    for damage in DAMAGES {
        let (k, _) = broken(&b, "k", damage).await?;
        let record = b.long(r#"{"b":2}"#);
        let revision = b.store.create(&key("other"), &record).await?;
        let before = b.raw_if_possible().await?;
        let over = b.store.create(&k, &record).await;
        refused(&format!("a create over a record with {damage:?}"), over, Refusal::AlreadyExists)?;
        let onto = b.store.rotate(&key("other"), revision, &k, &record).await;
        refused(&format!("a rotation onto a record with {damage:?}"), onto, Refusal::AlreadyExists)?;
        is_as_it_was(&b, &k, "what was refused").await?;
        b.holds(&key("other"), &record).await?;
        b.raw_is(&before, "what was refused").await?;
        for k in [k, key("other")] {
            b.store.delete(&k).await?;
        }
    }
    Ok(())
}

async fn unreadable_03(b: Bench) -> Outcome {
    for damage in DAMAGES {
        let (k, _) = broken(&b, "k", damage).await?;
        let what = format!("the delete of a record with {damage:?}");
        that(b.store.delete(&k).await?, format!("{what} said that none was there"))?;
        that(!b.peer.delete(&k).await?, format!("after {what} a second one said that one was there"))?;
        b.is_gone(&k).await?;
        let record = b.long(r#"{"b":2}"#);
        b.store.create(&k, &record).await?;
        b.holds(&k, &record).await?;
        b.store.delete(&k).await?;
    }
    Ok(())
}

async fn unreadable_04(b: Bench) -> Outcome {
    for damage in DAMAGES {
        let (k, _) = broken(&b, "k", damage).await?;
        let record = b.long(r#"{"b":2}"#).with_owner(owner("ada"));
        b.store.create(&key("whole"), &record).await?;
        b.swept(&format!("a sweep beside a record with {damage:?}"), b.store.delete_expired(10).await?, 0)?;
        is_as_it_was(&b, &k, "a sweep").await?;
        for index in b.indexes() {
            for scope in [Scope::All, Scope::Owner(&owner("ada"))] {
                let listed = list_keys(&**index, scope).await?;
                // A listing is of what is not data.
                let is_right =
                    if b.is_in_data(damage) { listed.contains(&key("whole")) } else { listed == [key("whole")] };
                that(is_right, format!("the list of {scope:?} beside a record with {damage:?}: {listed:?}"))?;
                // Whether the damaged one counts is the store's choice.
                let count = index.count(scope).await?;
                that((1..=2).contains(&count), format!("the count of {scope:?} beside {damage:?}: {count}"))?;
            }
        }
        if let Some(index) = b.indexes().next() {
            let ended = index.delete_owned(&owner("ada"), None).await?;
            that(
                (1..=2).contains(&ended),
                format!("delete_owned ended {ended} sessions, one of them with {damage:?}"),
            )?;
            b.is_gone(&key("whole")).await?;
            b.store.create(&key("whole"), &record).await?;
            index.clear().await?;
            b.is_gone(&k).await?;
            same("the count of all after clear", &index.count(Scope::All).await?, &0)?;
        }
        for k in [k, key("whole")] {
            b.store.delete(&k).await?;
        }
    }
    Ok(())
}
