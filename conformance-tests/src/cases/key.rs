use session_core::{Record, Scope, SessionKey};

use crate::bench::{Bench, LONG, key, list_in_pages, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, same, that};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("KEY-01", Level::Calls, &[], key_01),
        Case::new("KEY-02", Level::Calls, &[], key_02),
        Case::new("KEY-03", Level::Calls, &[], key_03),
        Case::new("KEY-04", Level::Calls, &[], key_04),
    ]
}

async fn key_01(b: Bench) -> Outcome {
    are_apart(&b, &["abc", "ABC", "Abc", "aBC"]).await
}

async fn key_02(b: Bench) -> Outcome {
    are_apart(&b, &["a", "a:", "a:b", "a:b:c", "aa", "a/b", "a.b", "a-"]).await
}

async fn key_03(b: Bench) -> Outcome {
    let victims = ["a", "ab", "abc", "b"];
    for pattern in
        ["*", "%", "_", "?", "[a]", "[a-c]", "a*", "a%", "a_", "a?", "__", "??", "^", "^a", ".*", "a|b", "\\", "{a,b}"]
    {
        let mut records = Vec::new();
        for name in victims {
            let record = b.long(&format!(r#"{{"is":"{name}"}}"#));
            b.store.create(&key(name), &record).await?;
            records.push((key(name), record));
        }
        exercise(&b, &key(pattern)).await?;
        for (k, record) in records {
            b.holds(&k, &record).await?;
            b.store.delete(&k).await?;
        }
    }
    Ok(())
}

async fn key_04(b: Bench) -> Outcome {
    let every: String = (b'!'..=b'~').map(char::from).collect();
    let long = every.repeat(3)[..SessionKey::MAX_LENGTH].to_owned();
    let longest = "k".repeat(SessionKey::MAX_LENGTH);
    let hostile =
        ["..", ".", "../../x", "/etc/passwd", "con", "a\\b", "'", "\"", "`", "';--", "$(x)", "%00", "{x}", "-rf", "~"];
    for name in [&every, &long, &longest].into_iter().map(String::as_str).chain(hostile) {
        exercise(&b, &key(name)).await?;
    }
    // Two keys of full length that differ only at the end, which a column that cuts makes one.
    let twins = ["x", "y"].map(|end| format!("{}{end}", &longest[1..]));
    are_apart(&b, &twins.each_ref().map(String::as_str)).await
}

/// Runs a record's life under the key with every call, and leaves nothing.
async fn exercise(b: &Bench, k: &SessionKey) -> Outcome {
    let ada = owner("ada");
    let mut record = b.long(r#"{"n":1}"#).with_owner(ada.clone());
    let other = key("the-key-that-it-rotates-to");
    let revision = b.store.create(k, &record).await?;
    b.holds(k, &record).await?;
    record.data = crate::bench::json(r#"{"n":2}"#);
    let revision = b.store.update(k, revision, &record).await?;
    record.expires_at = b.now().saturating_add(LONG * 2);
    b.store.touch(k, record.expires_at).await?;
    b.holds(k, &record).await?;
    let revision = b.store.rotate(k, revision, &other, &record).await?;
    b.is_gone(k).await?;
    b.store.rotate(&other, revision, k, &record).await?;
    b.holds(k, &record).await?;
    if let Some(index) = b.indexes().next() {
        b.store.create(&other, &record).await?;
        // The cursor between the two pages may be made of the key.
        let listed = list_in_pages(&**index, Scope::Owner(&ada), 1).await?;
        let mut wanted = [k, &other];
        wanted.sort();
        same("the keys in pages of one", &listed.iter().map(|session| &session.key).collect(), &wanted.to_vec())?;
        let ended = index.delete_owned(&ada, Some(k)).await?;
        same(&format!("the sessions that ending all but {k} ended"), &ended, &1)?;
        b.holds(k, &record).await?;
    }
    that(b.store.delete(k).await?, format!("deleting {k} said that nothing live was there"))?;
    b.is_gone(k).await
}

/// Fails unless each key has a record of its own that no call under another key reaches.
async fn are_apart(b: &Bench, names: &[&str]) -> Outcome {
    let record_of = |name: &str, n: u32| b.long(&format!(r#"{{"is":"{name}","n":{n}}}"#));
    for name in names {
        b.store.create(&key(name), &record_of(name, 0)).await?;
    }
    let all_hold = async |wanted: &[(&str, Record)]| {
        for (name, record) in wanted {
            b.holds(&key(name), record).await?;
        }
        Ok::<(), Failure>(())
    };
    let mut wanted: Vec<(&str, Record)> = names.iter().map(|name| (*name, record_of(name, 0))).collect();
    all_hold(&wanted).await?;
    for position in 0..names.len() {
        let k = key(names[position]);
        let revision = b.holds(&k, &wanted[position].1).await?;
        wanted[position].1 = record_of(names[position], 1);
        b.store.update(&k, revision, &wanted[position].1).await?;
        wanted[position].1.expires_at = b.now().saturating_add(LONG * 2);
        b.store.touch(&k, wanted[position].1.expires_at).await?;
        all_hold(&wanted).await?;
    }
    while !wanted.is_empty() {
        // The shortest first: a delete that reaches more than its key would take the others along.
        let (name, _) = wanted.remove(0);
        b.store.delete(&key(name)).await?;
        b.is_gone(&key(name)).await?;
        all_hold(&wanted).await?;
    }
    Ok(())
}
