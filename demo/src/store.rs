//! The stores that the demo can run on, by the beginning of their URL.

use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use session_core::SessionIndex;
use session_store_memory::MemoryStore;

mod sqlite;

type Future<T> = Pin<Box<dyn std::future::Future<Output = T> + Send>>;

/// A kind of store. Another one is another line in [`KINDS`].
struct Kind {
    scheme: &'static str,
    /// How a URL of it is written, for people.
    form: &'static str,
    open: fn(&str) -> Future<Result<Opened, OpenError>>,
}

const KINDS: &[Kind] = &[
    Kind { scheme: "memory", form: "memory:", open: |rest| Box::pin(ready(memory(rest))) },
    Kind { scheme: "sqlite", form: "sqlite:PATH", open: |rest| Box::pin(sqlite::open(rest.to_owned())) },
];

/// A store that is ready.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn SessionIndex>,
    /// What the page calls it.
    pub(crate) title: String,
    /// Where the secret of the cookies can lie, so that it lives as long as the sessions do.
    pub(crate) secret_file: Option<PathBuf>,
    /// Closes connections and files.
    pub(crate) close: Future<()>,
}

/// Why there is no store. No message shows the whole URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the store is given as {Forms}, and what was given is none of these")]
    UnknownUrl,
    #[error("the database `{}` cannot be opened", .0.display())]
    File(PathBuf, #[source] session_core::BoxError),
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<Opened, OpenError> {
    let (scheme, rest) = url.split_once(':').ok_or(OpenError::UnknownUrl)?;
    let kind = KINDS.iter().find(|kind| kind.scheme == scheme).ok_or(OpenError::UnknownUrl)?;
    (kind.open)(rest).await
}

fn memory(rest: &str) -> Result<Opened, OpenError> {
    if !rest.is_empty() {
        return Err(OpenError::UnknownUrl);
    }
    Ok(Opened {
        store: Arc::new(MemoryStore::new()),
        title: "the memory of this process".to_owned(),
        secret_file: None,
        close: Box::pin(ready(())),
    })
}

/// Lists how the URLs of all kinds are written.
pub(crate) struct Forms;

impl fmt::Display for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in KINDS.iter().enumerate() {
            let joint = if index == 0 { "" } else { " or " };
            write!(f, "{joint}`{}`", kind.form)?;
        }
        Ok(())
    }
}
