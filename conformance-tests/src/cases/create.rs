use session_core::Record;

use crate::bench::{Bench, LONG, key, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::Need;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("CREATE-01", Level::Calls, &[], create_01),
        Case::new("CREATE-02", Level::Calls, &[], create_02),
        Case::new("CREATE-03", Level::Calls, &[], create_03),
        Case::new("CREATE-04", Level::Time, &[Need::Time], create_04),
        Case::new("CREATE-05", Level::Time, &[Need::Time], create_05),
    ]
}

async fn create_01(b: Bench) -> Outcome {
    let plain = b.long(r#"{"user":"ada","cart":["apple",{"n":2}]}"#);
    let mut full = b.long("{}").with_owner(owner("ada")).with_deadline(b.now().saturating_add(LONG * 30));
    full.created_at = b.now().saturating_sub(LONG);
    for (name, record) in [("plain", plain), ("full", full)] {
        b.store.create(&key(name), &record).await?;
        b.holds(&key(name), &record).await?;
    }
    Ok(())
}

async fn create_02(b: Bench) -> Outcome {
    let first = b.long(r#"{"first":true}"#).with_owner(owner("ada"));
    let revision = b.store.create(&key("k"), &first).await?;
    let second = b.lasting(r#"{"second":true}"#, LONG * 2).with_owner(owner("bob"));
    refused("a create under a live key", b.store.create(&key("k"), &second).await, Refusal::AlreadyExists)?;
    refused("a create by another handle", b.peer.create(&key("k"), &second).await, Refusal::AlreadyExists)?;
    same("the revision after a refused create", &b.holds(&key("k"), &first).await?, &revision)
}

async fn create_03(b: Bench) -> Outcome {
    for round in 0..4 {
        exactly_one_creates(&b, &format!("fresh-{round}")).await?;
    }
    Ok(())
}

async fn create_04(b: Bench) -> Outcome {
    for round in 0..4 {
        let name = format!("expired-{round}");
        b.store.create(&key(&name), &b.short(r#"{"old":true}"#)).await?;
        b.expire_short(&[&key(&name)]).await?;
        exactly_one_creates(&b, &name).await?;
    }
    Ok(())
}

async fn exactly_one_creates(b: &Bench, name: &str) -> Outcome {
    const WRITERS: usize = 64;
    let records: Vec<Record> = (0..WRITERS).map(|writer| b.long(&format!(r#"{{"writer":{writer}}}"#))).collect();
    let answers = together(records.iter().cloned().enumerate().map(|(writer, record)| {
        let (store, name) = (if writer % 2 == 0 { b.store.clone() } else { b.peer.clone() }, key(name));
        async move { store.create(&name, &record).await }
    }))
    .await?;
    let winners: Vec<usize> = (0..WRITERS).filter(|&writer| answers[writer].is_ok()).collect();
    that(winners.len() == 1, format!("{} of {WRITERS} creates under {name} succeeded", winners.len()))?;
    for answer in answers.into_iter().filter(Result::is_err) {
        refused("a create that lost", answer, Refusal::AlreadyExists)?;
    }
    b.holds(&key(name), &records[winners[0]]).await?;
    Ok(())
}

async fn create_05(b: Bench) -> Outcome {
    let mut old = b.short(r#"{"secret":"of the old session"}"#).with_owner(owner("ada"));
    old = old.with_deadline(b.now().saturating_add(LONG));
    b.store.create(&key("k"), &old).await?;
    b.expire_short(&[&key("k")]).await?;
    let new = b.long(r#"{"new":true}"#);
    b.store.create(&key("k"), &new).await?;
    b.holds(&key("k"), &new).await?;
    for index in b.indexes() {
        let owned = index.count(session_core::Scope::Owner(&owner("ada"))).await?;
        same("the sessions of the old record's owner", &owned, &0)?;
    }
    Ok(())
}
