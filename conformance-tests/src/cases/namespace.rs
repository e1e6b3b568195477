use session_core::Scope;

use crate::bench::{Bench, LONG, key, list_keys, owner};
use crate::case::{Case, Level};
use crate::check::{Failure, Outcome, same, that};
use crate::hooks::Handle;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("NAMESPACE-01", Level::Calls, &[], namespace_01),
        Case::new("NAMESPACE-02", Level::Calls, &[], namespace_02),
        Case::new("NAMESPACE-03", Level::Calls, &[], namespace_03),
    ]
}

async fn namespace_01(b: Bench) -> Outcome {
    let first = b.open(&format!("{}_a", b.space.namespace())).await?;
    let second = b.open(&format!("{}_b", b.space.namespace())).await?;
    are_apart(&b, &[("the first", first), ("the second", second)]).await
}

async fn namespace_02(b: Bench) -> Outcome {
    let names = [
        "",
        " ",
        "a b",
        "a\"b",
        "a'b",
        "a`b",
        "a]b",
        "a\\b",
        "a;b",
        "a--b",
        "a.b",
        "a%b",
        "a_b",
        "a*b",
        "a?b",
        "a[b]",
        "a{b}",
        "a:b",
        "a/b",
        "..",
        "../a",
        "a\0b",
        "a\nb",
        "$a",
        "select",
        "table",
        "order",
        "null",
        "système",
        "名前",
        "🦀",
        "system.users",
        "session_store_name_that_is_longer_than_any_identifier_of_any_database_is_allowed_to_be_1234567890_1234567890_1234567890",
        // The same but for its end, which a backend that cuts names would make one.
        "session_store_name_that_is_longer_than_any_identifier_of_any_database_is_allowed_to_be_1234567890_1234567890_1234567891",
    ];
    apart_if_accepted(&b, names.into_iter().map(String::from)).await
}

async fn namespace_03(b: Bench) -> Outcome {
    let name = b.space.namespace();
    let (upper, dashed) = (name.to_uppercase(), name.replace('_', "-"));
    let names =
        [name.into(), format!("{name}_"), format!("{name}x"), format!("{name}:a"), format!("{name}*"), upper, dashed];
    apart_if_accepted(&b, names.into_iter()).await
}

/// Opens the namespaces; a refusal is an answer too. Those that were accepted are apart, and empty afterwards.
async fn apart_if_accepted(b: &Bench, names: impl Iterator<Item = String>) -> Outcome {
    let mut accepted = Vec::new();
    for name in names {
        if let Ok(handle) = b.open(&name).await {
            // An earlier run on the same server may have left something under a name that everybody has.
            if let Some(index) = &handle.index {
                index.clear().await?;
            }
            accepted.push((name, handle));
        }
    }
    let named: Vec<(&str, Handle)> = accepted.iter().map(|(name, handle)| (name.as_str(), handle.clone())).collect();
    are_apart(b, &named).await
}

/// Fails unless no call on one of the handles reaches a record of another one.
async fn are_apart(b: &Bench, namespaces: &[(&str, Handle)]) -> Outcome {
    let record_of = |name: &str| {
        let mut record = b.long("{}").with_owner(owner("ada"));
        record.data =
            session_core::Data::from_object(&[("is", name)].into_iter().collect::<std::collections::BTreeMap<_, _>>())
                .unwrap_or_default();
        record
    };
    let mut over = b.long(r#"{"over":1}"#);
    over.expires_at = b.now().saturating_sub(std::time::Duration::from_secs(1));
    for (name, handle) in namespaces {
        handle.store.create(&key("k"), &record_of(name)).await?;
        handle.store.create(&key("twin"), &record_of(name)).await?;
        handle.store.create(&key("over"), &over).await?;
    }
    let whole = async |namespaces: &[(&str, Handle)]| {
        for (name, handle) in namespaces {
            for k in ["k", "twin"] {
                let loaded = handle.store.load(&key(k)).await?.map(|(record, _)| record);
                same(&format!("the record {k} of namespace {name:?}"), &loaded, &Some(record_of(name)))?;
            }
            if let Some(index) = &handle.index {
                for scope in [Scope::All, Scope::Owner(&owner("ada"))] {
                    same(
                        &format!("the list of namespace {name:?}"),
                        &list_keys(&**index, scope).await?,
                        &vec![key("k"), key("twin")],
                    )?;
                    same(&format!("the count of namespace {name:?}"), &index.count(scope).await?, &2)?;
                }
            }
        }
        Outcome::Ok(())
    };
    whole(namespaces).await?;
    for (name, handle) in namespaces {
        let (twin, moved, record) = (key("twin"), key("moved"), record_of(name));
        let others_are_whole = async |call: &str| {
            for (other, handle) in namespaces.iter().filter(|(other, _)| other != name) {
                for (k, wanted) in [(&twin, Some(record_of(other))), (&moved, None)] {
                    let loaded = handle.store.load(k).await?.map(|(record, _)| record);
                    same(
                        &format!("the record {k} of namespace {other:?} after a {call} in {name:?}"),
                        &loaded,
                        &wanted,
                    )?;
                }
            }
            Outcome::Ok(())
        };
        let (_, revision) = handle.store.load(&twin).await?.ok_or_else(|| Failure::new("the record is not live"))?;
        handle.store.touch(&twin, b.now().saturating_add(LONG * 2)).await?;
        others_are_whole("touch").await?;
        let revision = handle.store.update(&twin, revision, &b.long(r#"{"n":1}"#)).await?;
        others_are_whole("update").await?;
        let revision = handle.store.rotate(&twin, revision, &moved, &record).await?;
        others_are_whole("rotation").await?;
        handle.store.rotate(&moved, revision, &twin, &record).await?;
        others_are_whole("rotation back").await?;
        handle.store.delete(&twin).await?;
        others_are_whole("delete").await?;
        handle.store.create(&twin, &record).await?;
    }
    whole(namespaces).await?;
    for (name, handle) in namespaces {
        b.swept(&format!("a sweep of namespace {name:?}"), handle.store.delete_expired(1000).await?, 1)?;
    }
    for (position, (name, handle)) in namespaces.iter().enumerate() {
        match &handle.index {
            // One way to end sessions after the other.
            Some(index) if position % 2 == 0 => {
                same(&format!("what clearing namespace {name:?} ends"), &index.clear().await?, &2)?;
            }
            Some(index) => {
                same(
                    &format!("what ending ada's sessions in {name:?} ends"),
                    &index.delete_owned(&owner("ada"), None).await?,
                    &2,
                )?;
            }
            None => that(handle.store.delete(&key("k")).await?, format!("the record of {name:?} is not there"))?,
        }
        whole(&namespaces[position + 1..]).await?;
    }
    Ok(())
}
