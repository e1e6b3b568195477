use crate::bench::{Bench, key};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same, that};
use crate::hooks::{Damage, Need};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("LOAD-01", Level::Calls, &[], load_01),
        Case::new("LOAD-02", Level::Time, &[Need::Time], load_02),
        Case::new("LOAD-03", Level::Calls, &[Need::Damage], load_03),
        Case::new("LOAD-04", Level::Calls, &[], load_04),
    ]
}

async fn load_01(b: Bench) -> Outcome {
    let before = b.raw_if_possible().await?;
    b.is_gone(&key("unknown")).await?;
    b.raw_is(&before, "loading an unknown key").await?;
    for index in b.indexes() {
        same("the number of sessions after loading an unknown key", &index.count(session_core::Scope::All).await?, &0)?;
    }
    b.store.create(&key("unknown"), &b.long("{}")).await?;
    Ok(())
}

async fn load_02(b: Bench) -> Outcome {
    let (ends, stays) = (key("ends"), key("stays"));
    b.store.create(&ends, &b.short(r#"{"a":1}"#)).await?;
    let record = b.long(r#"{"b":2}"#);
    b.store.create(&stays, &record).await?;
    b.expire_short(&[&ends]).await?;
    b.is_gone(&ends).await?;
    b.holds(&stays, &record).await?;
    Ok(())
}

async fn load_03(b: Bench) -> Outcome {
    let (broken, whole) = (key("broken"), key("whole"));
    let record = b.long(r#"{"whole":true}"#);
    b.store.create(&whole, &record).await?;
    for text in ["", "not json", "[1,2]", "null", r#"{"cut":"of"#, r#"{"a":{"b":1}"#, "{]}"] {
        b.store.create(&broken, &b.long(r#"{"a":1}"#)).await?;
        b.damage(&broken, Damage::Data(text)).await?;
        for store in [&b.store, &b.peer] {
            refused(&format!("a load of {text:?}"), store.load(&broken).await, Refusal::Corrupt)?;
        }
        let created = b.store.create(&broken, &b.long("{}")).await;
        that(created.is_err(), format!("a create replaced {text:?}, which is live and cannot be read"))?;
        refused("a load after the refused create", b.store.load(&broken).await, Refusal::Corrupt)?;
        b.holds(&whole, &record).await?;
        b.store.delete(&broken).await?;
        b.is_gone(&broken).await?;
    }
    Ok(())
}

async fn load_04(b: Bench) -> Outcome {
    let record = b.long(r#"{"a":1}"#);
    let revision = b.store.create(&key("k"), &record).await?;
    for _ in 0..3 {
        same("the revision after a load", &b.holds(&key("k"), &record).await?, &revision)?;
    }
    b.store.update(&key("k"), revision, &record).await?;
    Ok(())
}
