//! `mongodb://` and `mongodb+srv://`

use mongodb::Client;
use mongodb::error::ErrorKind;
use mongodb::options::ClientOptions;
use session_core::Error;
use session_store_mongo::MongoStore;

use crate::location::{Location, MAX_DATA, NAMESPACE, POOL};
use crate::{OpenError, Opened};

/// The database of an URL that names none.
const DATABASE: &str = "sessions";

pub(crate) async fn open(location: Location) -> Result<Opened, OpenError> {
    let (timeout, bytes, setup) = (location.timeout()?, location.number(MAX_DATA)?, location.has_setup()?);
    let invalid = |error: mongodb::error::Error| match *error.kind {
        ErrorKind::DnsResolve { .. } => OpenError::Store(Error::unavailable(error)),
        _ => OpenError::Url(error.into()),
    };
    let mut options = ClientOptions::parse(location.for_driver()).await.map_err(invalid)?;
    if let Some(pool) = location.number(POOL)? {
        options.max_pool_size = Some(pool);
    }
    let database = options.default_database.clone().unwrap_or_else(|| DATABASE.into());
    let mut store = MongoStore::new(Client::with_options(options).map_err(invalid)?.database(&database));
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_collection(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if let Some(timeout) = timeout {
        store = store.with_timeout(timeout);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    if setup {
        store.setup().await?;
    }
    Ok(Opened::new(store))
}
