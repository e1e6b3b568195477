//! The table of schemes: what each one is called, which feature brings it, and how it is opened.

use std::pin::Pin;
use std::sync::Arc;

use session_core::SessionIndex;

use crate::location::{DURABILITY, Driver, Location, MAX_DATA, NAMESPACE, POOL, SETUP, TIMEOUT, split_scheme};
use crate::{OpenError, Opened, stores};

type Opening = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send>>;

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
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, MAX_DATA],
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
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Knows(&["socket", "ssl-ca", "ssl-cert", "ssl-key", "ssl-mode"]),
    },
    Schemes {
        names: &["redis", "redis+cluster", "redis+sentinel"],
        feature: "redis",
        parameters: &[NAMESPACE, TIMEOUT, MAX_DATA],
        driver: Driver::Knows(&["protocol"]),
    },
    Schemes {
        names: &["rediss", "rediss+cluster", "rediss+sentinel"],
        feature: "redis-tls",
        parameters: &[NAMESPACE, TIMEOUT, MAX_DATA],
        driver: Driver::Knows(&["protocol"]),
    },
    Schemes {
        names: &["mongodb"],
        feature: "mongodb",
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Refuses,
    },
    Schemes {
        names: &["mongodb+srv"],
        feature: "mongodb-srv",
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, MAX_DATA],
        driver: Driver::Refuses,
    },
];

/// Returns how the store of a feature is opened, or `None` if the feature is off.
fn opener(feature: &str) -> Option<fn(Location) -> Opening> {
    match feature {
        #[cfg(feature = "memory")]
        "memory" => Some(|at| Box::pin(stores::memory::open(at))),
        #[cfg(feature = "file")]
        "file" => Some(|at| Box::pin(stores::file::open(at))),
        #[cfg(feature = "sqlite")]
        "sqlite" => Some(|at| Box::pin(stores::sqlite::open(at))),
        #[cfg(feature = "postgres")]
        "postgres" => Some(|at| Box::pin(stores::sql_server::open_postgres(at))),
        #[cfg(feature = "mysql")]
        "mysql" => Some(|at| Box::pin(stores::sql_server::open_mysql(at))),
        #[cfg(feature = "redis")]
        "redis" => Some(|at| Box::pin(stores::redis::open(at))),
        #[cfg(feature = "redis-tls")]
        "redis-tls" => Some(|at| Box::pin(stores::redis::open(at))),
        #[cfg(feature = "mongodb")]
        "mongodb" => Some(|at| Box::pin(stores::mongodb::open(at))),
        #[cfg(feature = "mongodb-srv")]
        "mongodb-srv" => Some(|at| Box::pin(stores::mongodb::open(at))),
        _ => None,
    }
}

/// Opens the store that a URL names, with its tables and indexes made unless the URL says `setup=off`.
///
/// The schemes and parameters are those of the [crate's page](crate). Refuses what it does not know: a scheme, a parameter, or a
/// store whose Cargo feature is off. The store's connections are closed some time after its last clone is dropped; to wait
/// for that, use [`open_closable`].
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
pub async fn open_closable(url: &str) -> Result<Opened, OpenError> {
    let (name, _) = split_scheme(url)?;
    let Some(schemes) = SCHEMES.iter().find(|schemes| schemes.names.contains(&name)) else {
        let known: Vec<String> =
            SCHEMES.iter().flat_map(|schemes| schemes.names).map(|name| format!("`{name}:`")).collect();
        return Err(OpenError::UnknownScheme { scheme: name.to_owned(), known: known.join(", ") });
    };
    let Some(open) = opener(schemes.feature) else {
        return Err(OpenError::NotCompiledIn { scheme: name.to_owned(), feature: schemes.feature });
    };
    open(Location::parse(url, schemes.parameters, schemes.driver)?).await
}

/// Returns the schemes whose stores are compiled in, as in `sqlite`.
pub fn schemes() -> impl Iterator<Item = &'static str> {
    let compiled_in = SCHEMES.iter().filter(|schemes| opener(schemes.feature).is_some());
    compiled_in.flat_map(|schemes| schemes.names).copied()
}
