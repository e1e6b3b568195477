//! What is done with a store whatever the server is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session_core::{
    BoxError, Clock, Data, Error, ManualClock, OwnerId, Page, Record, Revision, Scope, SessionIndex, SessionKey,
    SessionStore, SystemClock, Timestamp,
};
use session_store_sqlx::{SqlDatabase, SqlStore};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn fresh_table() -> String {
    format!("servers_{:016x}", Revision::fresh().number())
}

pub(crate) fn key(name: impl std::fmt::Display) -> SessionKey {
    SessionKey::parse(&format!("key-{name}")).expect("the test's names make keys")
}

pub(crate) fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).expect("the test's names make owners")
}

pub(crate) fn record(text: &str) -> Record {
    let now = SystemClock.now();
    Record::new(Data::parse(text).expect("the test's text is an object"), now, now.saturating_add(HOUR))
}

/// Every call once, with texts that a database might take for something else.
pub(crate) async fn live_a_life<S: SessionIndex>(store: &S) -> Result<(), BoxError> {
    let texts = [
        r#"{"a":"\u0000\ud800 \\' \" $$ ? $1 :key {table} %s"}"#.to_owned(),
        r#"{"'; DROP TABLE sessions; --":"\\'; DROP TABLE sessions; --"}"#.to_owned(),
        format!(r#"{{"emoji":"🦀 é e\u0301","big":18446744073709551615,"long":"{}"}}"#, "🦀'\\\\".repeat(100_000)),
    ];
    for (number, text) in texts.iter().enumerate() {
        let (first, second) = (key(format!("'{number}\\")), key(format!("\"{number};--")));
        let ada = owner("Ada \\' \u{1f980} ");
        let mut wanted =
            record(text).with_owner(ada.clone()).with_deadline(Timestamp::from_unix_millis(4_102_444_800_123)?);
        wanted.expires_at = Timestamp::from_unix_millis(4_102_444_800_122)?;
        let created = store.create(&first, &wanted).await?;
        assert!(matches!(store.create(&first, &wanted).await, Err(Error::AlreadyExists)));
        assert_eq!(store.load(&first).await?, Some((wanted.clone(), created)));
        let updated = store.update(&first, created, &wanted).await?;
        assert!(matches!(store.update(&first, created, &wanted).await, Err(Error::Conflict)));
        wanted.expires_at = Timestamp::from_unix_millis(4_102_444_800_123)?;
        store.touch(&first, wanted.expires_at).await?;
        let rotated = store.rotate(&first, updated, &second, &wanted).await?;
        assert_eq!(store.load(&first).await?, None);
        assert_eq!(store.load(&second).await?, Some((wanted.clone(), rotated)));
        assert_eq!(store.count(Scope::Owner(&ada)).await?, 1);
        assert_eq!(store.count(Scope::Owner(&owner("ada \\' \u{1f980} "))).await?, 0);
        assert_eq!(store.delete_owned(&ada, Some(&second)).await?, 0);
        assert!(store.delete(&second).await?);
        assert!(!store.delete(&second).await?);
    }
    assert_eq!(store.delete_expired(10).await?, 0);
    assert_eq!(store.clear().await?, 0);
    Ok(())
}

/// Calls that shall read no more than they have to, on a table with many rows.
pub(crate) async fn live_a_few<S: SessionIndex>(store: &S) -> Result<(), BoxError> {
    let ada = owner("ada");
    let mut over = record("{}").with_owner(ada.clone());
    over.expires_at = over.created_at.saturating_sub(HOUR);
    for number in 0..10 {
        let revision = store.create(&key(format!("new-{number}")), &record("{}").with_owner(ada.clone())).await?;
        store.create(&key(format!("over-{number}")), &over).await?;
        let revision = store.update(&key(format!("new-{number}")), revision, &record("{}")).await?;
        let rotated = key(format!("rotated-{number}"));
        store.rotate(&key(format!("new-{number}")), revision, &rotated, &record("{}").with_owner(ada.clone())).await?;
        store.touch(&rotated, record("{}").expires_at).await?;
        store.load(&rotated).await?;
        store.list(Scope::Owner(&ada), &Page::first(5)).await?;
        store.list(Scope::All, &Page::first(5)).await?;
        store.count(Scope::Owner(&ada)).await?;
        assert_eq!(store.delete_expired(10).await?, 1);
        store.delete(&rotated).await?;
        store.delete_owned(&ada, None).await?;
    }
    Ok(())
}

/// Tasks that are in each other's way as much as they can be: a few sessions of one owner, rotated, renewed, swept and ended.
pub(crate) async fn get_in_each_others_way<S: SessionIndex + 'static>(store: S) -> Result<(), BoxError> {
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let ada = owner("ada");
                for step in 0..40 {
                    let (here, there) = (key((task + step) % 5), key((task * 3 + step) % 5));
                    let mut record = record("{}").with_owner(ada.clone());
                    if step % 3 == 0 {
                        record.expires_at = SystemClock.now().saturating_add(Duration::from_millis(2));
                    }
                    let answer = match (task + step) % 6 {
                        0 => store.create(&here, &record).await.map(drop),
                        1 => store.delete_expired(3).await.map(drop),
                        2 => store.delete_owned(&ada, Some(&here)).await.map(drop),
                        3 => store.touch(&here, SystemClock.now().saturating_add(HOUR)).await,
                        4 => store.delete(&here).await.map(drop),
                        _ => match store.load(&here).await {
                            Ok(Some((_, revision))) => store.rotate(&here, revision, &there, &record).await.map(drop),
                            other => other.map(drop),
                        },
                    };
                    match answer {
                        Ok(()) | Err(Error::AlreadyExists | Error::NotFound | Error::Conflict) => {}
                        Err(error) => panic!("task {task} in step {step}: {error:?}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    store.clear().await?;
    assert_eq!(store.count(Scope::All).await?, 0);
    Ok(())
}

/// Goes back two hours whenever it is asked.
#[derive(Debug)]
struct BackwardClock(ManualClock);

impl Clock for BackwardClock {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        self.0.set(now.saturating_sub(HOUR * 2));
        now
    }
}

/// Calls of two steps, which would meet a record that is over by the one and live by the other.
pub(crate) async fn decide_by_one_time<DB: SqlDatabase>(store: SqlStore<DB>) -> Result<(), BoxError> {
    let ada = owner("ada");
    let in_two_hours = || BackwardClock(ManualClock::new(SystemClock.now().saturating_add(HOUR * 2)));
    for (number, steps) in ["clear", "delete_owned"].iter().enumerate() {
        store.create(&key(number), &record("{}").with_owner(ada.clone())).await?;
        let store = store.clone().with_clock(in_two_hours());
        let live = if *steps == "clear" { store.clear().await? } else { store.delete_owned(&ada, None).await? };
        assert_eq!(live, 0, "{steps}");
        let left = store.with_clock(SystemClock).count(Scope::All).await?;
        assert_eq!(left, 0, "{steps} leaves what was over by its first step and not by its second");
    }
    Ok(())
}

/// A store on a pool of one connection, which is to a server that takes no writes while `is_standby` says so.
pub(crate) async fn find_the_new_primary<DB: SqlDatabase>(
    store: SqlStore<DB>,
    is_standby: &AtomicBool,
) -> Result<(), BoxError> {
    assert_eq!(store.load(&key("a")).await?, None);
    let refused = store.create(&key("a"), &record("{}")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(store.load(&key("a")).await?, None);
    is_standby.store(false, Ordering::SeqCst);
    // Also a call that is not made again when its connection breaks.
    assert_eq!(store.delete_expired(1).await?, 0);
    store.create(&key("a"), &record("{}")).await?;
    Ok(())
}
