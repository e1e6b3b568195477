//! The store that a URL names, what the page calls it, and where the secret of its cookies can lie.

use std::path::PathBuf;

use session_store::OpenError;

/// What `--help` says about stores.
pub(crate) const FORMS: &str = "\
memory:, sqlite:FILE, file:FOLDER, postgres://USER:PASSWORD@HOST/DATABASE, mysql://…, redis://HOST,
  redis+cluster://HOST:PORT,…, redis+sentinel://HOST:PORT,…/SERVICE, mongodb://HOST/DATABASE";

/// Where the cookies' secret lies when the sessions are on a server: in the current folder.
const SECRET_OF_SERVERS: &str = "demo-secret";

/// A store that is ready.
pub(crate) struct Opened {
    pub(crate) store: session_store::Opened,
    /// What the page calls it.
    pub(crate) title: String,
    /// Where the secret of the cookies can lie, so that it lives as long as the sessions do; `None` if those end with
    /// the process.
    pub(crate) secret_file: Option<PathBuf>,
}

/// The store that a URL names could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep sessions in {title}")]
pub(crate) struct StoreError {
    title: String,
    source: OpenError,
}

/// Opens the store that a URL names.
pub(crate) async fn open(url: &str) -> Result<Opened, StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default();
    let (title, secret_file) = match scheme {
        "memory" => ("the memory of this process".to_owned(), None),
        "sqlite" => (format!("the SQLite file {path}"), Some(secret_beside(path))),
        "file" => (format!("the folder {path}"), Some(secret_beside(path))),
        // The rest of a server's URL may hold a password.
        _ => (server(scheme).to_owned(), Some(SECRET_OF_SERVERS.into())),
    };
    match session_store::open_closable(url).await {
        Ok(store) => Ok(Opened { store, title, secret_file }),
        Err(source) => Err(StoreError { title, source }),
    }
}

/// Says whether the URL itself is wrong, rather than what it leads to.
pub(crate) fn is_misuse(error: &StoreError) -> bool {
    !matches!(error.source, OpenError::Store(session_core::Error::Unavailable(_) | session_core::Error::Corrupt(_)))
}

fn server(scheme: &str) -> &'static str {
    match scheme {
        "postgres" | "postgresql" => "a PostgreSQL database",
        "mysql" | "mariadb" => "a MySQL or MariaDB database",
        "mongodb" | "mongodb+srv" => "a MongoDB database",
        _ if scheme.ends_with("+cluster") => "a Redis cluster",
        _ if scheme.starts_with("redis") => "a Redis server",
        _ => "what that url names",
    }
}

fn secret_beside(path: &str) -> PathBuf {
    PathBuf::from(format!("{}-secret", path.trim_end_matches('/')))
}
