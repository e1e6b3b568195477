//! Keys that change: lazily, in bulk, and when the old one is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session_core::{
    BoxError, Clock, Data, Error, OwnerId, Page, Record, Scope, SessionIndex, SessionKey, SessionStore, SystemClock,
};
use session_store_encrypted::{
    BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys, Reencryption, Unreadable, inner_limit,
};
use session_store_memory::MemoryStore;

type Store = EncryptedStore<MemoryStore>;

fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).expect("the key of a test is a key")
}

fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).expect("the owner of a test is an owner")
}

fn record(number: usize) -> Record {
    let now = SystemClock.now();
    let data = Data::parse(format!(r#"{{"number":{number}}}"#)).expect("it is an object");
    let record = Record::new(data, now, now.saturating_add(Duration::from_secs(3600)));
    if number.is_multiple_of(2) { record.with_owner(owner("ada")) } else { record }
}

/// Opens the records with these keys, of which the first encrypts. The secret of a key is its id, repeated.
fn with_keys(inner: &MemoryStore, ids: &[&str]) -> Result<Store, BoxError> {
    let keys = ids.iter().map(|id| EncryptionKey::from_hex(id, &id.repeat(32))).collect::<Result<Vec<_>, _>>()?;
    Ok(EncryptedStore::new(inner.clone(), "shop", EncryptionKeys::new(keys)?))
}

async fn reencrypt_all(store: &Store, limit: u32) -> Result<Reencryption, BoxError> {
    let mut total = store.reencrypt(&Page::first(limit)).await?;
    while let Some(cursor) = total.next.take() {
        let done = store.reencrypt(&Page::first(limit).after(cursor)).await?;
        total.rewritten += done.rewritten;
        total.current += done.current;
        total.overtaken += done.overtaken;
        total.unreadable += done.unreadable;
        total.too_large.extend(done.too_large);
        total.next = done.next;
    }
    Ok(total)
}

fn counts(done: &Reencryption) -> (u64, u64, u64, u64) {
    (done.rewritten, done.current, done.overtaken, done.unreadable)
}

async fn why_unreadable(store: &Store, text: &str) -> Option<Unreadable> {
    match store.load(&key(text)).await {
        Err(Error::Corrupt(cause)) => cause.downcast_ref().copied(),
        _ => None,
    }
}

#[tokio::test]
async fn writes_move_to_the_first_key_and_the_rest_goes_with_the_old_one() -> Result<(), BoxError> {
    let inner = MemoryStore::new();
    let old = with_keys(&inner, &["01"])?;
    for (number, name) in ["updated", "rotated", "touched"].into_iter().enumerate() {
        old.create(&key(name), &record(number)).await?;
    }
    let both = with_keys(&inner, &["02", "01"])?;
    let (loaded, revision) = both.load(&key("updated")).await?.ok_or("it is live")?;
    both.update(&key("updated"), revision, &loaded).await?;
    let (loaded, revision) = both.load(&key("rotated")).await?.ok_or("it is live")?;
    both.rotate(&key("rotated"), revision, &key("new"), &loaded).await?;
    both.touch(&key("touched"), loaded.expires_at.saturating_add(Duration::from_secs(60))).await?;

    let new = with_keys(&inner, &["02"])?;
    assert!(new.load(&key("updated")).await?.is_some_and(|(seen, _)| seen.data == record(0).data));
    assert!(new.load(&key("new")).await?.is_some_and(|(seen, _)| seen.data == record(1).data));
    assert_eq!(why_unreadable(&new, "touched").await, Some(Unreadable::UnknownKey));
    assert_eq!(why_unreadable(&old, "updated").await, Some(Unreadable::UnknownKey));
    // The same id with another secret is not the same key.
    let keys = EncryptionKeys::new([EncryptionKey::new("02", &[9; 32])?])?;
    let wrong = EncryptedStore::new(inner.clone(), "shop", keys);
    assert_eq!(why_unreadable(&wrong, "updated").await, Some(Unreadable::NotAuthentic));
    Ok(())
}

#[tokio::test]
async fn in_bulk_everything_moves_and_nothing_else_changes() -> Result<(), BoxError> {
    let inner = MemoryStore::new();
    let old = with_keys(&inner, &["01"])?;
    let records: Vec<(SessionKey, Record)> = (0..25).map(|n| (key(&format!("k{n}")), record(n))).collect();
    for (key, record) in &records {
        old.create(key, record).await?;
    }
    let both = with_keys(&inner, &["02", "01"])?;
    both.create(&key("current"), &record(1)).await?;
    let revision = both.load(&key("current")).await?.ok_or("it is live")?.1;
    let gone = with_keys(&inner, &["03"])?;
    gone.create(&key("unreadable"), &record(2)).await?;
    inner.create(&key("plain"), &record(3)).await?;

    assert_eq!(counts(&reencrypt_all(&both, 4).await?), (25, 1, 0, 2));
    assert_eq!(counts(&reencrypt_all(&both, 100).await?), (0, 26, 0, 2));
    let new = with_keys(&inner, &["02"])?;
    for (key, record) in &records {
        assert_eq!(new.load(key).await?.map(|(seen, _)| seen).as_ref(), Some(record));
    }
    assert_eq!(new.count(Scope::Owner(&owner("ada"))).await?, 14);
    // What is current is not written, and what does not open stays as it was.
    assert_eq!(new.load(&key("current")).await?.map(|loaded| loaded.1), Some(revision));
    assert_eq!(gone.load(&key("unreadable")).await?.map(|(seen, _)| seen.data), Some(record(2).data));
    assert_eq!(why_unreadable(&both, "plain").await, Some(Unreadable::Plaintext));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_bulk_no_write_of_somebody_else_is_undone() -> Result<(), BoxError> {
    let inner = MemoryStore::new();
    // An instance that has the new key already and still writes under the old one counts up…
    let behind = with_keys(&inner, &["01", "02"])?;
    behind.create(&key("busy"), &record(0)).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            let mut written = 0;
            while !is_over.load(Ordering::Relaxed) {
                let (mut seen, revision) = behind.load(&key("busy")).await?.ok_or(Error::NotFound)?;
                assert_eq!(seen.data.get::<u32>("number").ok().flatten(), Some(written), "a write was undone");
                seen.data = Data::parse(format!(r#"{{"number":{}}}"#, written + 1)).map_err(Error::corrupt)?;
                match behind.update(&key("busy"), revision, &seen).await {
                    Ok(_) => written += 1,
                    Err(Error::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(written)
        }
    });
    // … while the bulk run goes over its session, until each of them has come in between the other often enough.
    let both = with_keys(&inner, &["02", "01"])?;
    let (mut rewritten, mut overtaken) = (0, 0);
    while (rewritten < 20 || overtaken < 20) && !writer.is_finished() {
        let done = both.reencrypt(&Page::first(10)).await?;
        (rewritten, overtaken) = (rewritten + done.rewritten, overtaken + done.overtaken);
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let written = writer.await??;
    let seen = both.load(&key("busy")).await?.ok_or("it is live")?.0.data.get::<u32>("number")?;
    assert_eq!(seen, Some(written));
    Ok(())
}

#[tokio::test]
async fn blinding_can_be_turned_on_and_off_in_bulk() -> Result<(), BoxError> {
    let inner = MemoryStore::new();
    let clear = with_keys(&inner, &["01"])?;
    for number in 0..4 {
        clear.create(&key(&format!("k{number}")), &record(number)).await?;
    }
    let blinded = with_keys(&inner, &["01"])?.with_blinded_owners(BlindingKey::new(&[9; 32])?);
    assert_eq!(blinded.load(&key("k0")).await?.and_then(|(seen, _)| seen.owner), Some(owner("ada")));
    assert_eq!(blinded.count(Scope::Owner(&owner("ada"))).await?, 0);
    assert_eq!(counts(&reencrypt_all(&blinded, 3).await?), (2, 2, 0, 0));
    assert_eq!(blinded.count(Scope::Owner(&owner("ada"))).await?, 2);
    assert_eq!(inner.count(Scope::Owner(&owner("ada"))).await?, 0);
    assert_eq!(blinded.list(Scope::All, &Page::first(9)).await?.sessions.len(), 4);

    let other = with_keys(&inner, &["01"])?.with_blinded_owners(BlindingKey::new(&[8; 32])?);
    assert_eq!(counts(&reencrypt_all(&other, 3).await?), (2, 2, 0, 0));
    assert_eq!(other.count(Scope::Owner(&owner("ada"))).await?, 2);
    assert_eq!(counts(&reencrypt_all(&clear, 3).await?), (2, 2, 0, 0));
    assert_eq!(inner.count(Scope::Owner(&owner("ada"))).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_store_in_the_clear_is_brought_over() -> Result<(), BoxError> {
    let inner = MemoryStore::new();
    for number in 0..4 {
        inner.create(&key(&format!("k{number}")), &record(number)).await?;
    }
    let migrating = with_keys(&inner, &["01"])?.accepting_plaintext_during_migration();
    assert_eq!(migrating.load(&key("k0")).await?.map(|(seen, _)| seen.data), Some(record(0).data));
    assert_eq!(counts(&reencrypt_all(&migrating, 3).await?), (4, 0, 0, 0));
    let strict = with_keys(&inner, &["01"])?;
    for number in 0..4 {
        let (seen, _) = strict.load(&key(&format!("k{number}"))).await?.ok_or("it is live")?;
        assert_eq!((seen.data, seen.owner), (record(number).data, record(number).owner));
    }
    Ok(())
}

#[tokio::test]
async fn sizes_are_counted_in_the_clear() -> Result<(), BoxError> {
    const LIMIT: usize = 10_000;
    let of_size = |size: usize| {
        let data = Data::parse(format!(r#"{{"d":"{}"}}"#, "x".repeat(size - 8))).expect("it is an object");
        let owner = OwnerId::parse(&"o".repeat(255)).expect("it is an owner");
        Record::new(data, SystemClock.now(), SystemClock.now().saturating_add(Duration::from_secs(60)))
            .with_owner(owner)
    };
    let keys = || EncryptionKeys::new([EncryptionKey::new(&"k".repeat(32), &[7; 32])?]);
    let exact = MemoryStore::new().with_max_data_bytes(inner_limit(LIMIT));
    let exact = EncryptedStore::new(exact, "shop", keys()?).with_max_data_bytes(LIMIT);
    exact.create(&key("fits"), &of_size(LIMIT)).await?;
    let refused = exact.create(&key("k"), &of_size(LIMIT + 1)).await;
    assert!(matches!(refused, Err(Error::TooLarge { size: 10_001, limit: LIMIT })), "{refused:?}");

    // An inner store that accepts less refuses, and says in the clear what would have fitted.
    let less = EncryptedStore::new(MemoryStore::new().with_max_data_bytes(LIMIT), "shop", keys()?);
    let Err(Error::TooLarge { size: LIMIT, limit }) = less.create(&key("k"), &of_size(LIMIT)).await else {
        panic!("the inner store accepted too much")
    };
    less.create(&key("k"), &of_size(limit)).await?;
    assert!(less.create(&key("other"), &of_size(limit + 1)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_stops_nothing() -> Result<(), BoxError> {
    let inner = MemoryStore::new().with_max_data_bytes(1000);
    let mut large = record(1);
    large.data = Data::parse(format!(r#"{{"text":"{}"}}"#, "x".repeat(900)))?;
    for (name, record) in [("a", &record(2)), ("large", &large), ("z", &record(3))] {
        inner.create(&key(name), record).await?;
    }
    let store = with_keys(&inner, &["01"])?.accepting_plaintext_during_migration();
    let done = store.reencrypt(&Page::first(10)).await?;
    assert_eq!((done.rewritten, done.too_large), (2, vec![key("large")]));
    assert_eq!(store.load(&key("large")).await?.map(|(seen, _)| seen.data), Some(large.data), "it is as it was");
    Ok(())
}
