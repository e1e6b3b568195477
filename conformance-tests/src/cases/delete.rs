use crate::bench::{Bench, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, same, that};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("DELETE-01", Level::Calls, &[], delete_01),
        Case::new("DELETE-02", Level::Calls, &[Need::Raw], delete_02),
        Case::new("DELETE-03", Level::Time, &[Need::Time], delete_03),
    ]
}

async fn delete_01(b: Bench) -> Outcome {
    that(!b.store.delete(&key("never-there")).await?, "a delete of an unknown key said that a live record was there")?;
    let (record, other) = (b.long("{}").with_owner(owner("ada")), b.long(r#"{"other":1}"#).with_owner(owner("ada")));
    b.store.create(&key("k"), &record).await?;
    b.store.create(&key("other"), &other).await?;
    that(b.peer.delete(&key("k")).await?, "a delete of a live record said that none was there")?;
    b.is_gone(&key("k")).await?;
    for store in [&b.store, &b.peer] {
        that(!store.delete(&key("k")).await?, "a second delete said that a live record was there")?;
    }
    b.holds(&key("other"), &other).await?;
    for index in b.indexes() {
        let owned = list_keys(&**index, session_core::Scope::Owner(&owner("ada"))).await?;
        same("the owner's sessions after the delete", &owned, &vec![key("other")])?;
    }
    Ok(())
}

async fn delete_02(b: Bench) -> Outcome {
    let before = Some(b.raw().await?);
    let record = b.long(r#"{"a":1}"#).with_owner(owner("ada"));
    b.store.create(&key("k"), &record).await?;
    let (lines, with) = (before.iter().flatten().count(), b.raw().await?);
    let shown = format!("the raw view shows {lines} lines before a record is stored and {} after it", with.len());
    that(
        Some(with) != before,
        format!("{shown}, and the same ones: the harness is wrong (does it look where the store writes?)"),
    )?;
    b.store.delete(&key("k")).await?;
    b.raw_is(&before, "create and delete").await?;

    let revision = b.store.create(&key("k"), &record).await?;
    let revision = b.store.update(&key("k"), revision, &b.long("{}").with_owner(owner("bob"))).await?;
    b.store.touch(&key("k"), b.lasting("{}", crate::bench::LONG * 2).expires_at).await?;
    b.store.rotate(&key("k"), revision, &key("new"), &record).await?;
    b.store.delete(&key("new")).await?;
    b.raw_is(&before, "create, update, touch, rotate and delete").await
}

async fn delete_03(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    b.store.create(&key("k"), &b.short(r#"{"a":1}"#).with_owner(owner("ada"))).await?;
    b.expire_short(&[&key("k")]).await?;
    that(!b.store.delete(&key("k")).await?, "a delete of an expired record said that a live record was there")?;
    b.raw_is(&before, "deleting an expired record").await?;
    same("what a sweep finds after the delete", &b.store.delete_expired(10).await?, &0)
}
