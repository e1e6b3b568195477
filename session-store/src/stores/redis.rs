//! `redis://`, `rediss://`, `redis+cluster://` and `redis+sentinel://`

use session_store_redis::RedisStore;

use crate::location::{Location, MAX_DATA, NAMESPACE};
use crate::{OpenError, Opened};

pub(crate) async fn open(location: Location) -> Result<Opened, OpenError> {
    let (timeout, bytes) = (location.timeout()?, location.number(MAX_DATA)?);
    let mut store = RedisStore::open(&location.for_driver()).await?;
    if let Some(namespace) = location.text(NAMESPACE) {
        store = store.with_prefix(namespace).map_err(|invalid| OpenError::Namespace(invalid.into()))?;
    }
    if let Some(timeout) = timeout {
        store = store.with_timeout(timeout);
    }
    if let Some(bytes) = bytes {
        store = store.with_max_data_bytes(bytes);
    }
    Ok(Opened::new(store))
}
