use crate::bench::{Bench, exact, key};
use crate::case::{Case, Level};
use crate::check::{Outcome, Refusal, refused, same};
use crate::hooks::{Damage, Need};

use super::load::stops_nothing;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("DATA-01", Level::Calls, &[], data_01),
        Case::new("DATA-02", Level::Calls, &[], data_02),
        Case::new("DATA-03", Level::Calls, &[Need::Damage], data_03),
    ]
}

/// Objects that a store loses which parses, re-writes, sorts, cuts or interprets them.
const OBJECTS: &[&str] = &[
    "{}",
    " {  } ",
    r#"{"null":null,"true":true,"false":false,"empty":"","list":[],"object":{}}"#,
    r#"{"z":1,"a":{"z":1,"a":[[[[{"deep":[]}]]]]}}"#,
    r#"{"u64":18446744073709551615,"i64":-9223372036854775808,"beyond":18446744073709551616}"#,
    r#"{"exact":9007199254740993,"digits":0.1000000000000000055511151231257827,"one":1.0,"zero":-0.0,"small":5e-324}"#,
    r#"{"huge":1e400,"exponent":1E+2,"more":1e21}"#,
    r#"{"escaped nul":"\u0000","escaped":"\"\\\/\b\f\n\r\t\u001f\u007f","raw":"é ß 名前 🦀 👩‍👩‍👧‍👦"}"#,
    r#"{"lone":"\ud800","reversed":"\udc00\ud800","pair":"\ud83e\udd80","\ud800":"a key too"}"#,
    r#"{"a":1,"a":2,"\u0061":3}"#,
    r#"{"dots.in.keys":1,"$dollar":2,"$set":{"a":1}," spaces ":3,"":4,"quote\"quote":5,"__proto__":6,"nul\u0000":7}"#,
    r#"{"sql":"'; DROP TABLE sessions; --","'; DELETE FROM sessions WHERE '1'='1":"\\'","percent":"%s %1$s ${x} {{x}}"}"#,
    "{\n\t\"white\" : [ 1 , 2 ] ,\r\n  \"space\" : { }\n}\n",
    r#"{"date":"2026-01-01T00:00:00Z","number in text":"007","true in text":"true"}"#,
    "{\"separators\":\"\u{2028}\u{2029}\u{feff}\u{7f}\",\"combining\":\"e\u{301}\",\"composed\":\"\u{e9}\"}",
];

async fn data_01(b: Bench) -> Outcome {
    let mut record = b.long("{}");
    let mut revision = b.store.create(&key("updated"), &record).await?;
    for (number, object) in OBJECTS.iter().enumerate() {
        record.data = exact(object);
        let (created, rotated) = (key(&format!("created-{number}")), key(&format!("rotated-{number}")));
        let first = b.store.create(&created, &record).await?;
        same("what was created, as text", &b.live(&created).await?.0.data.as_str(), object)?;
        revision = b.store.update(&key("updated"), revision, &record).await?;
        same("what was updated, as text", &b.live(&key("updated")).await?.0.data.as_str(), object)?;
        b.store.rotate(&created, first, &rotated, &record).await?;
        same("what was rotated, as text", &b.live(&rotated).await?.0.data.as_str(), object)?;
    }
    Ok(())
}

async fn data_02(b: Bench) -> Outcome {
    const LIMIT: usize = 1024 * 1024;
    // Two bytes a character, so that counting characters instead of bytes shows.
    let of_size = |size: usize| {
        let frame = r#"{"d":""}"#.len();
        let (pairs, odd) = ((size - frame) / 2, (size - frame) % 2);
        let text = format!(r#"{{"d":"{}{}"}}"#, "é".repeat(pairs), "x".repeat(odd));
        debug_assert_eq!(text.len(), size);
        let mut record = b.long("{}");
        record.data = exact(&text);
        record
    };
    let (fits, too_large) = (of_size(LIMIT), of_size(LIMIT + 1));
    let revision = b.store.create(&key("k"), &fits).await?;
    b.holds(&key("k"), &fits).await?;

    let small = b.long(r#"{"small":1}"#);
    refused("a create of one byte more", b.store.create(&key("other"), &too_large).await, Refusal::TooLarge)?;
    b.is_gone(&key("other")).await?;
    let revision = b.store.update(&key("k"), revision, &small).await?;
    refused("an update to one byte more", b.store.update(&key("k"), revision, &too_large).await, Refusal::TooLarge)?;
    let rotated = b.store.rotate(&key("k"), revision, &key("new"), &too_large).await;
    refused("a rotation with one byte more", rotated, Refusal::TooLarge)?;
    b.is_gone(&key("new")).await?;
    same("the revision after what was refused", &b.holds(&key("k"), &small).await?, &revision)?;

    let revision = b.store.update(&key("k"), revision, &fits).await?;
    b.holds(&key("k"), &fits).await?;
    b.store.rotate(&key("k"), revision, &key("new"), &fits).await?;
    b.holds(&key("new"), &fits).await?;
    Ok(())
}

async fn data_03(b: Bench) -> Outcome {
    let whole = b.long(r#"{"whole":true}"#);
    b.store.create(&key("k"), &b.long(r#"{"a":1}"#)).await?;
    b.store.create(&key("whole"), &whole).await?;
    b.damage(&key("k"), Damage::Format).await?;
    for store in [&b.store, &b.peer] {
        refused("a load of an unknown format", store.load(&key("k")).await, Refusal::Corrupt)?;
    }
    b.holds(&key("whole"), &whole).await?;
    for k in ["k", "whole"].map(key) {
        b.store.delete(&k).await?;
        b.is_gone(&k).await?;
    }
    stops_nothing(&b, Damage::Format).await
}
