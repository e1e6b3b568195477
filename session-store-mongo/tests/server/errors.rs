//! The same mistake has the same class everywhere, its cause in words, and no secret in them.

use std::time::Duration;

use mongodb::Client;
use mongodb::bson::doc;
use session_core::{BoxError, Error, SessionKey, SessionStore};
use session_store_mongo::MongoStore;

use crate::set::Set;

/// The whole chain, and what `Debug` says.
fn words(error: &Error) -> String {
    let mut words = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

async fn load(url: &str) -> Result<Error, BoxError> {
    let store = MongoStore::open(url).await?.with_timeout(Duration::from_secs(2));
    store.load(&SessionKey::parse("k")?).await.err().ok_or_else(|| format!("a load by {url} succeeded").into())
}

fn says(error: &Error, is_outage: bool, part: &str) -> Result<(), BoxError> {
    let is_right = match error {
        Error::Unavailable(_) => is_outage,
        Error::Backend(_) => !is_outage,
        _ => false,
    };
    if is_right && words(error).contains(part) { Ok(()) } else { Err(format!("«{part}»: {}", words(error)).into()) }
}

/// With a password in every URL.
pub(crate) fn causes(program: &str) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        says(&load(&format!("mongodb://127.0.0.1:{free}/")).await?, true, "connection refused")?;
        says(&load("mongodb://no-such-host.invalid/").await?, true, "the connection to the server failed")?;
        let set = Set::start_one(program, &["--auth"]).await?;
        let host = format!("127.0.0.1:{}", set.port());
        // Waits until it is there.
        Client::with_uri_str(format!("mongodb://{host}/"))
            .await?
            .database("admin")
            .run_command(doc! { "ping": 1 })
            .await?;
        says(
            &load(&format!("mongodb://ada:s3cr3t@{host}/?authSource=admin")).await?,
            false,
            "refused the credentials",
        )?;
        says(&load(&format!("mongodb://{host}/")).await?, false, "code 13")?;
        says(&load(&format!("mongodb://{host}/?tls=true")).await?, true, "the connection to the server failed")?;
        Ok(())
    })
}

pub(crate) fn secrets() -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for special in ":/?#[]@%&=+ \"'\\<>^`{|}~".chars() {
            let encoded: String = special.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
            for password in [format!("s3cr{special}et42"), format!("s3cr{encoded}et42")] {
                let url = format!("mongodb://ada:{password}@127.0.0.1:1/?serverSelectionTimeoutMS=100");
                let said = match MongoStore::open(&url).await {
                    Ok(store) => {
                        let store = store.with_timeout(Duration::from_millis(200));
                        let answer = store.load(&SessionKey::parse("k")?).await;
                        format!("{store:?} {}", words(&answer.err().ok_or("nobody is at port 1")?))
                    }
                    Err(error) if matches!(error, Error::Backend(_)) => words(&error),
                    Err(error) => return Err(format!("{special}: {}", words(&error)).into()),
                };
                if said.contains("s3cr") || said.contains("et42") {
                    return Err(format!("{special}: {said}").into());
                }
            }
        }
        Ok(())
    })
}

/// A member of a set that is named alone and is not its primary takes no call.
pub(crate) fn secondary(url: &str) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let hosts = url.strip_prefix("mongodb://").and_then(|rest| rest.split('/').next()).ok_or("it has hosts")?;
        let (mut primaries, mut answers) = (0, 0);
        for host in hosts.split(',') {
            let url = format!("mongodb://{host}/?directConnection=true");
            let hello = Client::with_uri_str(&url).await?.database("admin").run_command(doc! { "hello": 1 }).await?;
            let is_primary = hello.get_bool("isWritablePrimary")?;
            let store = MongoStore::open(&url).await?.with_timeout(Duration::from_secs(2));
            let loaded = store.load(&SessionKey::parse("k")?).await;
            match (is_primary, loaded) {
                (true, Ok(_)) => primaries += 1,
                (false, Err(Error::Unavailable(_))) => answers += 1,
                (_, loaded) => return Err(format!("primary: {is_primary}, a load: {loaded:?}").into()),
            }
        }
        if (primaries, answers) == (1, 2) { Ok(()) } else { Err("the set has no primary".into()) }
    })
}
