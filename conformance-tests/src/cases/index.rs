use session_core::{Page, Scope, SessionInfo, SessionKey};

use crate::bench::{Bench, LONG, key, list_all, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, same, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("INDEX-01", Level::Time, &[Need::Index, Need::Time], index_01),
        Case::new("INDEX-02", Level::Calls, &[Need::Index], index_02),
        Case::new("INDEX-03", Level::Time, &[Need::Index, Need::Time], index_03),
        Case::new("INDEX-04", Level::Time, &[Need::Index, Need::Time], index_04),
    ]
}

async fn index_01(b: Bench) -> Outcome {
    let ada = owner("ada");
    let mut record = b.long(r#"{"a":1}"#).with_owner(ada.clone()).with_deadline(b.now().saturating_add(LONG * 9));
    record.created_at = b.now().saturating_sub(LONG);
    b.store.create(&key("over"), &b.short("{}").with_owner(ada.clone())).await?;
    let revision = b.store.create(&key("k"), &record).await?;
    b.expire_short(&[&key("over")]).await?;
    let shows = async |key: &SessionKey, record: &session_core::Record| {
        let wanted = vec![SessionInfo::of(key, record)];
        for index in b.indexes() {
            for scope in [Scope::All, Scope::Owner(&ada)] {
                same(&format!("the list of {scope:?}"), &list_all(&**index, scope).await?, &wanted)?;
            }
        }
        Outcome::Ok(())
    };
    shows(&key("k"), &record).await?;
    record.expires_at = b.now().saturating_add(LONG * 2);
    b.store.touch(&key("k"), record.expires_at).await?;
    shows(&key("k"), &record).await?;
    record.expires_at = b.now().saturating_add(LONG * 3);
    let revision = b.store.update(&key("k"), revision, &record).await?;
    shows(&key("k"), &record).await?;
    b.store.rotate(&key("k"), revision, &key("new"), &record).await?;
    shows(&key("new"), &record).await
}

async fn index_02(b: Bench) -> Outcome {
    const SESSIONS: usize = 23;
    let index = b.index()?;
    let ada = owner("ada");
    let name = |number: usize| key(&format!("k-{:02}", (number * 7) % SESSIONS));
    for number in 0..SESSIONS {
        b.store.create(&name(number), &b.long("{}").with_owner(ada.clone())).await?;
        b.store.create(&key(&format!("other-{number}")), &b.long("{}").with_owner(owner("bob"))).await?;
    }
    for limit in [1, 5, 23, 24, 1000] {
        let seen = walk(&b, Scope::Owner(&ada), limit, &[]).await?;
        let mut wanted: Vec<SessionKey> = (0..SESSIONS).map(name).collect();
        wanted.sort();
        same(&format!("ada's sessions in pages of {limit}"), &seen, &wanted)?;
        let all = walk(&b, Scope::All, limit, &[]).await?;
        same(&format!("the number of all sessions in pages of {limit}"), &all.len(), &(2 * SESSIONS))?;
    }
    // While one walks, some of the sessions end and others begin; those that stay are all seen, and once.
    for scope in [Scope::Owner(&ada), Scope::All] {
        let ending: Vec<SessionKey> = (0..8).map(name).collect();
        let seen = walk(&b, scope, 4, &ending).await?;
        let mut distinct = seen.clone();
        distinct.dedup();
        same("the sessions that a changing listing shows, and without repetition", &seen, &distinct)?;
        for number in ending.len()..SESSIONS {
            that(seen.contains(&name(number)), format!("{} was live all the while and not listed", name(number)))?;
        }
        for number in 0..SESSIONS {
            b.store.delete(&key(&format!("extra-{number}"))).await?;
            b.store.delete(&name(number)).await?;
            b.store.create(&name(number), &b.long("{}").with_owner(ada.clone())).await?;
        }
    }
    same("the sessions that the last page leaves", &index.count(Scope::Owner(&ada)).await?, &(SESSIONS as u64))
}

/// Follows a listing to its end and checks the length of every page; after each of the first pages one of the sessions
/// in `ending` is deleted and another one begins. Returns the keys in order.
async fn walk(b: &Bench, scope: Scope<'_>, limit: u32, ending: &[SessionKey]) -> Result<Vec<SessionKey>, Failure> {
    const MOST_PAGES: usize = 500;
    let index = b.index()?;
    let mut keys = Vec::new();
    let mut page = Page::first(limit);
    for number in 0..MOST_PAGES {
        let listing = index.list(scope, &page).await?;
        let length = listing.sessions.len();
        that(length <= limit as usize, format!("a page of at most {limit} sessions has {length}"))?;
        keys.extend(listing.sessions.into_iter().map(|session| session.key));
        let Some(cursor) = listing.next else {
            keys.sort();
            return Ok(keys);
        };
        page = Page::first(limit).after(cursor);
        if let Some(ends) = ending.get(number) {
            b.store.delete(ends).await?;
            b.store.create(&key(&format!("extra-{number}")), &b.long("{}").with_owner(owner("ada"))).await?;
        }
    }
    Err(Failure::new(format!("a listing in pages of {limit} does not end")))
}

async fn index_03(b: Bench) -> Outcome {
    let (ada, bob) = (owner("ada"), owner("bob"));
    let counts = async |all: u64, adas: u64, bobs: u64| {
        for index in b.indexes() {
            same("the number of sessions", &index.count(Scope::All).await?, &all)?;
            same("the number of ada's sessions", &index.count(Scope::Owner(&ada)).await?, &adas)?;
            same("the number of bob's sessions", &index.count(Scope::Owner(&bob)).await?, &bobs)?;
        }
        Outcome::Ok(())
    };
    counts(0, 0, 0).await?;
    for number in 0..4 {
        b.store.create(&key(&format!("a-{number}")), &b.long("{}").with_owner(ada.clone())).await?;
    }
    b.store.create(&key("nobodys"), &b.long("{}")).await?;
    b.store.create(&key("bobs"), &b.short("{}").with_owner(bob.clone())).await?;
    b.store.create(&key("adas"), &b.short("{}").with_owner(ada.clone())).await?;
    counts(7, 5, 1).await?;
    b.expire_short(&[&key("bobs"), &key("adas")]).await?;
    counts(5, 4, 0).await?;
    b.store.delete_expired(100).await?;
    counts(5, 4, 0).await?;
    b.store.delete(&key("a-0")).await?;
    counts(4, 3, 0).await
}

async fn index_04(b: Bench) -> Outcome {
    let index = b.index()?;
    same("what clearing an empty namespace ended", &index.clear().await?, &0)?;
    let before = b.raw_if_possible().await?;
    for number in 0..5 {
        b.store.create(&key(&format!("k-{number}")), &b.long("{}").with_owner(owner("ada"))).await?;
    }
    b.store.create(&key("over"), &b.short("{}").with_owner(owner("ada"))).await?;
    b.expire_short(&[&key("over")]).await?;
    same("what clearing ended", &index.clear().await?, &5)?;
    b.raw_is(&before, "clearing").await?;
    for number in 0..5 {
        b.is_gone(&key(&format!("k-{number}"))).await?;
    }
    for index in b.indexes() {
        same("the number of sessions after clearing", &index.count(Scope::All).await?, &0)?;
        same("the number of ada's sessions after clearing", &index.count(Scope::Owner(&owner("ada"))).await?, &0)?;
    }
    same("what a sweep finds after clearing", &b.store.delete_expired(10).await?, &0)
}
