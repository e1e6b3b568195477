use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::{Error, OwnerId, Scope, SessionIndex, SessionKey};

use crate::bench::{Bench, LONG, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, same, that};
use crate::hooks::Need;
use crate::random::Random;
use crate::together::together;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("OWNER-01", Level::Calls, &[Need::Index], owner_01),
        Case::new("OWNER-02", Level::Time, &[Need::Index, Need::Time], owner_02),
        Case::new("OWNER-03", Level::Time, &[Need::Index, Need::Time], owner_03),
        Case::new("OWNER-04", Level::Calls, &[Need::Index], owner_04),
        Case::new("OWNER-05", Level::Calls, &[Need::Index], owner_05),
    ]
}

async fn owner_01(b: Bench) -> Outcome {
    let (ada, bob) = (owner("ada"), owner("bob"));
    let k = key("k");
    let belongs_to = async |key: &SessionKey, wanted: Option<&OwnerId>| {
        for candidate in [&ada, &bob] {
            let keys: Vec<SessionKey> = if wanted == Some(candidate) { vec![key.clone()] } else { vec![] };
            for index in b.indexes() {
                same(
                    &format!("the sessions of {candidate}"),
                    &list_keys(&**index, Scope::Owner(candidate)).await?,
                    &keys,
                )?;
                let count = index.count(Scope::Owner(candidate)).await?;
                same(&format!("the number of sessions of {candidate}"), &count, &(keys.len() as u64))?;
            }
        }
        Outcome::Ok(())
    };
    let revision = b.store.create(&k, &b.long("{}")).await?;
    belongs_to(&k, None).await?;
    let revision = b.store.update(&k, revision, &b.long("{}").with_owner(ada.clone())).await?;
    belongs_to(&k, Some(&ada)).await?;
    b.store.touch(&k, b.now().saturating_add(LONG * 2)).await?;
    belongs_to(&k, Some(&ada)).await?;
    let revision = b.store.update(&k, revision, &b.long("{}").with_owner(bob.clone())).await?;
    belongs_to(&k, Some(&bob)).await?;
    let new = key("new");
    let revision = b.store.rotate(&k, revision, &new, &b.long("{}").with_owner(ada.clone())).await?;
    belongs_to(&new, Some(&ada)).await?;
    let revision = b.store.update(&new, revision, &b.long("{}")).await?;
    belongs_to(&new, None).await?;
    b.store.rotate(&new, revision, &k, &b.long("{}").with_owner(bob.clone())).await?;
    belongs_to(&k, Some(&bob)).await?;
    b.store.delete(&k).await?;
    belongs_to(&k, None).await?;
    b.store.create(&k, &b.long("{}").with_owner(ada.clone())).await?;
    belongs_to(&k, Some(&ada)).await
}

async fn owner_02(b: Bench) -> Outcome {
    let index = b.index()?;
    let owners = ["ada", "bob", "eve"].map(owner);
    let names: Vec<SessionKey> = (0..16).map(|number| key(&format!("k-{number}"))).collect();
    let mut random = Random::new(0x5e55_1011);
    for call in 0..200 {
        let (k, other) = (random.of(&names), random.of(&names));
        let mut record = if random.below(4) == 0 { b.short("{}") } else { b.long("{}") };
        record.owner = Some(random.of(&owners)).filter(|_| random.below(4) != 0).cloned();
        let revision = b.store.load(k).await?.map(|(_, revision)| revision);
        let answer = match (random.below(8), revision) {
            (0..=2, _) => b.store.create(k, &record).await.map(drop),
            (3, Some(revision)) => b.peer.update(k, revision, &record).await.map(drop),
            (4, Some(revision)) => b.store.rotate(k, revision, other, &record).await.map(drop),
            (5, _) => b.peer.touch(k, record.expires_at).await,
            (6, _) => b.store.delete(k).await.map(drop),
            (_, _) if random.below(4) == 0 => b.store.delete_expired(2).await.map(drop),
            (_, _) if random.below(4) == 0 => index.delete_owned(random.of(&owners), Some(k)).await.map(drop),
            (_, _) if random.below(3) == 0 => {
                b.expire_short(&names.iter().collect::<Vec<_>>()).await?;
                Ok(())
            }
            _ => Ok(()),
        };
        match answer {
            Ok(()) | Err(Error::AlreadyExists | Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        if call % 10 == 9 {
            agrees_with_a_scan(&b, &names, &owners).await?;
        }
    }
    Ok(())
}

/// Fails unless the lists and counts are what loading every key gives.
async fn agrees_with_a_scan(b: &Bench, names: &[SessionKey], owners: &[OwnerId]) -> Outcome {
    let mut live = Vec::new();
    for k in names {
        if let Some((record, _)) = b.store.load(k).await? {
            live.push((k.clone(), record.owner));
        }
    }
    let scopes = owners.iter().map(Scope::Owner).chain([Scope::All]);
    for scope in scopes {
        let mut wanted: Vec<SessionKey> = live
            .iter()
            .filter(|(_, owned_by)| {
                matches!(scope, Scope::Owner(owner) if owned_by.as_ref() == Some(owner)) || scope == Scope::All
            })
            .map(|(k, _)| k.clone())
            .collect();
        wanted.sort();
        for index in b.indexes() {
            same(&format!("the list of {scope:?}"), &list_keys(&**index, scope).await?, &wanted)?;
            same(&format!("the count of {scope:?}"), &index.count(scope).await?, &(wanted.len() as u64))?;
        }
    }
    Ok(())
}

async fn owner_03(b: Bench) -> Outcome {
    let index = b.index()?;
    let (ada, bob) = (owner("ada"), owner("bob"));
    let (bobs, nobodys) = (b.long(r#"{"bob":1}"#).with_owner(bob.clone()), b.long(r#"{"nobody":1}"#));
    b.store.create(&key("bobs"), &bobs).await?;
    b.store.create(&key("nobodys"), &nobodys).await?;
    for (except, wanted) in [(None, 5), (Some(key("adas-3")), 4), (Some(key("bobs")), 5), (Some(key("unknown")), 5)] {
        for number in 0..5 {
            b.store.create(&key(&format!("adas-{number}")), &b.long("{}").with_owner(ada.clone())).await?;
        }
        b.store.create(&key("over"), &b.short("{}").with_owner(ada.clone())).await?;
        b.expire_short(&[&key("over")]).await?;
        let ended = index.delete_owned(&ada, except.as_ref()).await?;
        same(&format!("the sessions that ending all but {except:?} ended"), &ended, &wanted)?;
        for number in 0..5 {
            let k = key(&format!("adas-{number}"));
            if except.as_ref() == Some(&k) {
                b.live(&k).await?;
                b.store.delete(&k).await?;
            } else {
                b.is_gone(&k).await?;
            }
        }
        b.holds(&key("bobs"), &bobs).await?;
        b.holds(&key("nobodys"), &nobodys).await?;
        same("what a sweep finds afterwards", &b.store.delete_expired(10).await?, &0)?;
    }
    same("what ending no sessions ended", &index.delete_owned(&owner("nobody"), None).await?, &0)
}

async fn owner_04(b: Bench) -> Outcome {
    const CHAINS: usize = 12;
    let ada = owner("ada");
    for round in 0..6 {
        let kept = key(&format!("kept-{round}"));
        let record = b.long("{}").with_owner(ada.clone());
        b.store.create(&kept, &record).await?;
        for chain in 0..CHAINS {
            b.store.create(&key(&format!("c-{round}-{chain}-0")), &record).await?;
        }
        // Every chain rotates one session on and on until it finds it ended; one task ends them all meanwhile.
        let are_ended = Arc::new(AtomicBool::new(false));
        let answers = together((0..CHAINS + 1).map(|chain| {
            let (store, index, record) = (b.store.clone(), b.index().cloned(), record.clone());
            let (ada, kept, are_ended) = (ada.clone(), kept.clone(), Arc::clone(&are_ended));
            async move {
                if chain == CHAINS {
                    index?.delete_owned(&ada, Some(&kept)).await?;
                    are_ended.store(true, Ordering::SeqCst);
                    return Ok(());
                }
                let mut k = key(&format!("c-{round}-{chain}-0"));
                for step in 1.. {
                    let must_be_gone = are_ended.load(Ordering::SeqCst);
                    let Some((_, revision)) = store.load(&k).await? else { break };
                    that(!must_be_gone, format!("{k} lives on after the sessions of its owner were ended"))?;
                    let new = key(&format!("c-{round}-{chain}-{step}"));
                    match store.rotate(&k, revision, &new, &record).await {
                        Ok(_) => k = new,
                        Err(Error::NotFound) => break,
                        Err(error) => return Err(error.into()),
                    }
                    // A store that never waits would else keep the other tasks from running.
                    tokio::task::yield_now().await;
                }
                Outcome::Ok(())
            }
        }))
        .await?;
        for answer in answers {
            answer?;
        }
        for index in b.indexes() {
            let left = list_keys(&**index, Scope::Owner(&ada)).await?;
            same("the owner's sessions after all but one were ended", &left, &vec![kept.clone()])?;
        }
        that(b.store.delete(&kept).await?, "the exception was not live any more")?;
    }
    Ok(())
}

async fn owner_05(b: Bench) -> Outcome {
    let index: &dyn SessionIndex = &**b.index()?;
    let names = [
        "ada",
        "Ada",
        "ADA",
        "ada ",
        " ada",
        "a%",
        "a_a",
        "*",
        "?",
        "[a]da",
        "ad\u{e1}",
        "ada\u{301}",
        "'",
        "\"",
        "\\",
        ":",
        "ada:1",
    ];
    let distinct: BTreeSet<&str> = names.into_iter().collect();
    for (number, name) in distinct.iter().enumerate() {
        b.store.create(&key(&format!("k-{number}")), &b.long("{}").with_owner(owner(name))).await?;
    }
    for (number, name) in distinct.iter().enumerate() {
        let listed = list_keys(index, Scope::Owner(&owner(name))).await?;
        same(&format!("the sessions of the owner {name:?}"), &listed, &vec![key(&format!("k-{number}"))])?;
    }
    for (number, name) in distinct.iter().enumerate() {
        same(
            &format!("what ending the sessions of {name:?} ended"),
            &index.delete_owned(&owner(name), None).await?,
            &1,
        )?;
        b.is_gone(&key(&format!("k-{number}"))).await?;
        let left = index.count(Scope::All).await?;
        same("the sessions that are left", &left, &((distinct.len() - number - 1) as u64))?;
    }
    Ok(())
}
