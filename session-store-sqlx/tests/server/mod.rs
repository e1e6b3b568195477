//! What the suite needs of a server: a line to it that is counted and can be cut, for each case its own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use conformance_tests::{Outage, Proxy, Space};
use session_core::BoxError;
use tokio::sync::Mutex;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

static LINES: LazyLock<Mutex<HashMap<String, Arc<Proxy>>>> = LazyLock::new(Mutex::default);

/// Returns the URL of a server if the environment names one.
pub(crate) fn url(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

/// Returns the line of a case to the server at `host:port`.
pub(crate) async fn line(space: &Space, server: &str) -> Result<Arc<Proxy>, BoxError> {
    let mut lines = LINES.lock().await;
    if let Some(line) = lines.get(space.namespace()) {
        return Ok(Arc::clone(line));
    }
    let line = Arc::new(Proxy::open(server).await?);
    lines.insert(space.namespace().to_owned(), Arc::clone(&line));
    Ok(line)
}

/// Returns the URL with another host and port, and the ones that it had.
pub(crate) fn redirected(url: &str, address: Option<std::net::SocketAddr>) -> (String, String) {
    let start = url.find("://").map_or(0, |colon| colon + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |slash| start + slash);
    let start = url[..end].rfind('@').map_or(start, |at| at + 1);
    let address = address.map_or(String::new(), |address| address.to_string());
    (format!("{}{address}{}", &url[..start], &url[end..]), url[start..end].to_owned())
}

pub(crate) async fn round_trips(space: Space) -> Result<u64, BoxError> {
    let lines = LINES.lock().await;
    lines.get(space.namespace()).map(|line| line.round_trips()).ok_or_else(|| "the case has no line".into())
}

/// One case meets a server that is gone, the other one that does not answer.
pub(crate) async fn outage(space: Space, outage: Outage) -> Result<(), BoxError> {
    let lines = LINES.lock().await;
    let line = lines.get(space.namespace()).ok_or("the case has no line")?;
    match outage {
        Outage::Begin if space.namespace().contains("outage_02") => line.silence(),
        Outage::Begin => line.cut(),
        _ => line.mend(),
    }
    Ok(())
}
