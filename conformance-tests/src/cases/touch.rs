use crate::bench::{Bench, LONG, SHORT, key, owner};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same};
use crate::hooks::Need;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("TOUCH-01", Level::Calls, &[], touch_01),
        Case::new("TOUCH-02", Level::Calls, &[], touch_02),
        Case::new("TOUCH-03", Level::Time, &[Need::Time], touch_03),
    ]
}

async fn touch_01(b: Bench) -> Outcome {
    let deadline = b.now().saturating_add(LONG * 30);
    let mut record = b.long(r#"{"a":[1,2]}"#).with_owner(owner("ada")).with_deadline(deadline);
    let revision = b.store.create(&key("k"), &record).await?;
    for days in 2..5 {
        record.expires_at = b.now().saturating_add(LONG * days);
        b.peer.touch(&key("k"), record.expires_at).await?;
        same("the revision after a touch", &b.holds(&key("k"), &record).await?, &revision)?;
    }
    Ok(())
}

async fn touch_02(b: Bench) -> Outcome {
    let record = b.long("{}");
    b.store.create(&key("k"), &record).await?;
    for earlier in [record.expires_at, b.now().saturating_add(SHORT), b.now(), b.now().saturating_sub(SHORT)] {
        b.peer.touch(&key("k"), earlier).await?;
        b.holds(&key("k"), &record).await?;
    }
    Ok(())
}

async fn touch_03(b: Bench) -> Outcome {
    let later = b.now().saturating_add(LONG * 2);
    let not_live = "a touch of a key that is not live";
    let before = b.raw_if_possible().await?;
    refused(not_live, b.store.touch(&key("unknown"), later).await, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    b.store.create(&key("deleted"), &b.long("{}")).await?;
    b.store.delete(&key("deleted")).await?;
    refused(not_live, b.peer.touch(&key("deleted"), later).await, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    let revision = b.store.create(&key("rotated"), &b.long("{}")).await?;
    b.store.rotate(&key("rotated"), revision, &key("moved"), &b.long("{}")).await?;
    let before = b.raw_if_possible().await?;
    refused(not_live, b.peer.touch(&key("rotated"), later).await, Refusal::NotFound)?;
    b.raw_is(&before, not_live).await?;

    b.store.create(&key("expired"), &b.short("{}")).await?;
    b.expire_short(&[&key("expired")]).await?;
    refused(not_live, b.peer.touch(&key("expired"), later).await, Refusal::NotFound)?;

    for name in ["unknown", "deleted", "rotated", "expired"] {
        b.is_gone(&key(name)).await?;
    }
    b.store.delete_expired(10).await?;
    b.raw_is(&before, "a refused touch and a sweep").await
}
