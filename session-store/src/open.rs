//! The table of schemes: what each one is called, which feature brings it, and how it is opened.

use std::pin::Pin;
use std::sync::Arc;

use session_core::SessionIndex;

use crate::location::{DURABILITY, Location, MAX_DATA, NAMESPACE, POOL, SETUP, TIMEOUT, split_scheme};
use crate::{OpenError, stores};

type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn SessionIndex>, OpenError>> + Send>>;

/// Every scheme with the Cargo feature that brings its store.
const KNOWN: &[(&str, &str)] = &[("memory", "memory"), ("file", "file"), ("sqlite", "sqlite")];

/// A scheme whose store is compiled in.
struct Scheme {
    name: &'static str,
    /// The parameters that are not the driver's.
    parameters: &'static [&'static str],
    open: fn(Location) -> Opening,
}

const SCHEMES: &[Scheme] = &[
    #[cfg(feature = "memory")]
    Scheme { name: "memory", parameters: &[MAX_DATA], open: |at| Box::pin(stores::memory::open(at)) },
    #[cfg(feature = "file")]
    Scheme { name: "file", parameters: &[DURABILITY, MAX_DATA], open: |at| Box::pin(stores::file::open(at)) },
    #[cfg(feature = "sqlite")]
    Scheme {
        name: "sqlite",
        parameters: &[NAMESPACE, SETUP, TIMEOUT, POOL, DURABILITY, MAX_DATA],
        open: |at| Box::pin(stores::sqlite::open(at)),
    },
];

/// Opens the store that a URL names, with its tables and indexes made unless the URL says `setup=off`.
///
/// The schemes and parameters are those of the [crate's page](crate). Refuses what it does not know: a scheme, a parameter, or a
/// store whose Cargo feature is off. Dropping the last clone of the store closes its connections.
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
    let (name, _) = split_scheme(url)?;
    if let Some(scheme) = SCHEMES.iter().find(|scheme| scheme.name == name) {
        return (scheme.open)(Location::parse(url, scheme.parameters)?).await;
    }
    let scheme = name.to_owned();
    Err(match KNOWN.iter().find(|(known, _)| *known == name) {
        Some(&(_, feature)) => OpenError::NotCompiledIn { scheme, feature },
        None => {
            let known: Vec<String> = KNOWN.iter().map(|(known, _)| format!("`{known}:`")).collect();
            OpenError::UnknownScheme { scheme, known: known.join(", ") }
        }
    })
}

/// Returns the schemes whose stores are compiled in, as in `sqlite`.
pub fn schemes() -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().map(|scheme| scheme.name)
}
