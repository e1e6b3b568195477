//! The stores that the demo can run on, by the beginning of their URL.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use session_core::SessionIndex;

mod file;
mod memory;
mod sqlite;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A kind of store.
struct Kind {
    scheme: &'static str,
    /// How a URL of it is written, for people.
    form: &'static str,
    /// Opens what the rest of the URL names.
    open: fn(String) -> BoxFuture<Result<Opened, OpenError>>,
}

/// Another kind of store is another line, and a module that opens it.
const KINDS: &[Kind] = &[
    Kind { scheme: "memory", form: "memory:", open: |rest| Box::pin(memory::open(rest)) },
    Kind { scheme: "sqlite", form: "sqlite:PATH", open: |rest| Box::pin(sqlite::open(rest)) },
    Kind { scheme: "file", form: "file:FOLDER", open: |rest| Box::pin(file::open(rest)) },
];

/// A store that is ready.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn SessionIndex>,
    /// What the page calls it.
    pub(crate) title: String,
    /// Where the secret of the cookies can lie, so that it lives as long as the sessions do.
    pub(crate) secret_file: Option<PathBuf>,
    /// Closes connections and files.
    pub(crate) close: BoxFuture<()>,
}

/// Why there is no store. No message shows what was given for a URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the store is given as {Forms}, and what was given is none of these")]
    UnknownUrl,
    #[error("cannot keep sessions in `{}`", .0.display())]
    Path(PathBuf, #[source] session_core::Error),
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<Opened, OpenError> {
    let (scheme, rest) = url.split_once(':').ok_or(OpenError::UnknownUrl)?;
    let kind = KINDS.iter().find(|kind| kind.scheme == scheme).ok_or(OpenError::UnknownUrl)?;
    (kind.open)(rest.to_owned()).await
}

/// Returns the path in the rest of a URL, with or without `//` before it. There are no options after a `?`.
fn path(rest: &str) -> Result<&str, OpenError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.contains('?') { Err(OpenError::UnknownUrl) } else { Ok(path) }
}

fn secret_beside(path: &str) -> PathBuf {
    PathBuf::from(format!("{}-secret", path.trim_end_matches('/')))
}

/// Lists how the URLs of all kinds are written.
pub(crate) struct Forms;

impl fmt::Display for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in KINDS.iter().enumerate() {
            let joint = match index {
                0 => "",
                _ if index + 1 == KINDS.len() => " or ",
                _ => ", ",
            };
            write!(f, "{joint}`{}`", kind.form)?;
        }
        Ok(())
    }
}
