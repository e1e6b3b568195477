//! Callers that leave while the server stands still, and runtimes that end.

use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::options::ClientOptions;
use session_core::{BoxError, Record, Revision, SessionKey, SessionStore};
use session_store_mongo::MongoStore;

use crate::refusals::record;
use crate::set::Set;

fn keys(name: &str, count: usize) -> Result<Vec<SessionKey>, BoxError> {
    (0..count).map(|number| Ok(SessionKey::parse(&format!("{name}-{number}"))?)).collect()
}

/// Callers that write and leave.
async fn leave(store: &MongoStore, keys: Vec<SessionKey>, after: Duration, record: &Record) {
    let callers = keys.into_iter().map(|key| {
        let (store, end) = (store.clone(), record.expires_at);
        tokio::spawn(async move { drop(tokio::time::timeout(after, store.touch(&key, end)).await) })
    });
    for caller in callers.collect::<Vec<_>>() {
        drop(caller.await);
    }
}

/// 200 callers at a time, who leave after a second, while the server stands still for six.
pub(crate) fn stopped(program: &str) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let set = Set::start_one(program, &[]).await?;
        let store = MongoStore::open(&format!("mongodb://127.0.0.1:{}", set.port())).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.setup().await?;
        let (keys, record) = (keys("k", 200)?, record()?);
        for key in &keys {
            store.create(key, &record).await?;
        }
        set.signal(0, "STOP")?;
        for _ in 0..6 {
            leave(&store, keys.clone(), Duration::from_secs(1), &record).await;
        }
        set.signal(0, "CONT")?;
        let start = Instant::now();
        loop {
            let mut refused = 0;
            for key in &keys {
                let answer = tokio::time::timeout(Duration::from_secs(2), store.touch(key, record.expires_at)).await;
                refused += usize::from(!matches!(answer, Ok(Ok(()))));
            }
            if refused == 0 {
                break;
            }
            if start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{refused} of 200 calls are refused 20 s after the server goes on").into());
            }
        }
        println!("all calls succeeded {:?} after the server went on", start.elapsed());
        Ok(())
    })
}

/// The runtime that made a store and used it first ends, or stands still; the store works in another one.
pub(crate) fn runtimes(url: &str) -> Result<(), BoxError> {
    let single = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let name = format!("session_tests_{:x}", Revision::fresh().number());
    let first = single()?;
    let (store, key, record) = first.block_on(async {
        let mut options = ClientOptions::parse(url).await?;
        options.default_database = Some(name.clone());
        let store = MongoStore::new(options)?;
        store.setup().await?;
        let (key, record) = (SessionKey::parse("k")?, record()?);
        store.create(&key, &record).await?;
        Ok::<_, BoxError>((store, key, record))
    })?;
    let touch = async || {
        let call = store.touch(&key, record.expires_at);
        tokio::time::timeout(Duration::from_secs(4), call)
            .await
            .map_err(|_| "no answer within 4 s")?
            .map_err(BoxError::from)
    };
    // It is there, and nobody runs it.
    single()?.block_on(touch())?;
    drop(first);
    single()?.block_on(touch())?;
    single()?.block_on(async { Ok(Client::with_uri_str(url).await?.database(&name).drop().await?) })
}
