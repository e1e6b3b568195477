//! The table of schemes: what each one is called, which feature brings it, and what its URL may say. How each is opened stands in
//! `stores.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use session_core::{Error, SessionIndex};

use crate::location::{
    CHANNEL_BINDING, CONNECT, CONNECT_TIMEOUT, DURABILITY, Driver, Location, MAX_DATA, NAMESPACE, POOL, POOLER,
    REPLICAS, SCHEMA, SESSION_ATTRIBUTES, SETUP, TIMEOUT, split_scheme,
};
use crate::{OpenError, Opened, stores};

pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send>>;

/// Schemes that one store answers to.
struct Schemes {
    names: &'static [&'static str],
    /// The Cargo feature that brings the store.
    feature: &'static str,
    /// The parameters that are not the driver's.
    parameters: &'static [&'static str],
    driver: Driver,
}

const SCHEMES: &[Schemes] = &[
    Schemes { names: &["memory"], feature: "memory", parameters: &[MAX_DATA], driver: Driver::Knows(&[]) },
    Schemes { names: &["file"], feature: "file", parameters: &[DURABILITY, MAX_DATA], driver: Driver::Knows(&[]) },
    Schemes {
        names: &["sqlite"],
        feature: "sqlite",
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, DURABILITY, MAX_DATA],
        driver: Driver::Knows(&[]),
    },
    Schemes {
        names: &["postgres", "postgresql"],
        feature: "postgres",
        parameters: &[
            NAMESPACE,
            SCHEMA,
            SETUP,
            CONNECT,
            TIMEOUT,
            POOL,
            POOLER,
            MAX_DATA,
            CHANNEL_BINDING,
            CONNECT_TIMEOUT,
            SESSION_ATTRIBUTES,
        ],
        driver: Driver::Knows(&[
            "application_name",
            "host",
            "hostaddr",
            "options",
            "port",
            "sslcert",
            "sslkey",
            "sslmode",
            "sslrootcert",
        ]),
    },
    Schemes {
        names: &["mysql", "mariadb"],
        feature: "mysql",
        parameters: &[NAMESPACE, SETUP, CONNECT, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Knows(&["socket", "ssl-ca", "ssl-cert", "ssl-key", "ssl-mode"]),
    },
    Schemes {
        names: &[
            "redis",
            "redis+cluster",
            "redis+sentinel",
            "redis+unix",
            "valkey",
            "valkey+cluster",
            "valkey+sentinel",
            "valkey+unix",
        ],
        feature: "redis",
        parameters: &[NAMESPACE, SETUP, CONNECT, TIMEOUT, REPLICAS, MAX_DATA],
        driver: Driver::Knows(&["protocol", "sentinel_password", "sentinel_user"]),
    },
    Schemes {
        names: &["rediss", "rediss+cluster", "rediss+sentinel", "valkeys", "valkeys+cluster", "valkeys+sentinel"],
        feature: "redis-tls",
        parameters: &[NAMESPACE, SETUP, CONNECT, TIMEOUT, REPLICAS, MAX_DATA],
        driver: Driver::Knows(&["cacert", "cert", "key", "protocol", "sentinel_password", "sentinel_user"]),
    },
    Schemes {
        names: &["mongodb"],
        feature: "mongodb",
        parameters: &[NAMESPACE, SETUP, CONNECT, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Refuses,
    },
    Schemes {
        names: &["mongodb+srv"],
        feature: "mongodb-srv",
        parameters: &[NAMESPACE, SETUP, CONNECT, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Refuses,
    },
];

/// How long a call waits for a database that was away when its store was opened, unless `timeout_ms` says otherwise.
const WAIT: Duration = Duration::from_secs(5);

/// Opens the store that a URL names, with its tables and indexes made unless the URL says `setup=verify` or `setup=off`.
///
/// The schemes and parameters are those of the [crate's page](crate). The store's connections are closed some time after its last clone
/// is dropped; to wait for that, use [`open_closable`].
///
/// # Errors
///
/// Refuses what it does not know: a scheme, a parameter, or a store whose Cargo feature is off. [`OpenError::Store`] holds the store's own
/// error: `Unavailable` if the database does not answer, unless the URL says `connect=later`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = session_store::open("memory:").await?;
/// assert_eq!(store.count(session_store::core::Scope::All).await?, 0);
///
/// let refusal = session_store::open("mermory:").await.err().ok_or("there is no such store")?;
/// assert!(refusal.to_string().starts_with("there is no store for `mermory:`; there are `memory:`"));
/// # Ok(())
/// # }
/// ```
pub async fn open(url: &str) -> Result<Arc<dyn SessionIndex>, OpenError> {
    open_closable(url).await.map(|opened| opened.store)
}

/// Opens the store that a URL names, as [`open`] does, with a way to close it.
///
/// # Errors
///
/// Those of [`open`].
pub async fn open_closable(url: &str) -> Result<Opened, OpenError> {
    let (name, _) = split_scheme(url)?;
    let Some(schemes) = SCHEMES.iter().find(|schemes| schemes.names.contains(&name.as_str())) else {
        let known: Vec<String> =
            SCHEMES.iter().flat_map(|schemes| schemes.names).map(|name| format!("`{name}:`")).collect();
        return Err(OpenError::UnknownScheme { scheme: name, known: known.join(", ") });
    };
    let Some(open) = stores::opener(schemes.feature) else {
        return Err(OpenError::NotCompiledIn { scheme: name, feature: schemes.feature });
    };
    let location = Location::parse(url, schemes.parameters, schemes.driver)?;
    let (connects_later, timeout) = (location.connects_later()?, location.timeout()?.unwrap_or(WAIT));
    match open(location.clone()).await {
        // What a retry cures is left to the calls; a wrong URL or password is not.
        Err(OpenError::Store(Error::Unavailable(_))) if connects_later => {
            Ok(Opened::later(move || open(location.clone()), timeout))
        }
        outcome => outcome,
    }
}

/// Returns the schemes whose stores are compiled in, as in `sqlite`.
pub fn schemes() -> impl Iterator<Item = &'static str> {
    let compiled_in = SCHEMES.iter().filter(|schemes| stores::opener(schemes.feature).is_some());
    compiled_in.flat_map(|schemes| schemes.names).copied()
}
