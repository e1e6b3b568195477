//! What the suite needs of a server: its URL, over a line of the case's own.

use std::time::Duration;

use conformance_tests::Space;
use session_core::BoxError;

/// Where the case is about waiting, it says so.
pub(crate) fn timeout(space: &Space) -> Duration {
    space.timeout().unwrap_or(Duration::from_secs(2))
}

/// Returns the URL of a server if the environment names one.
pub(crate) fn url(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

/// Returns the URL of the same server over a line of the space.
pub(crate) async fn over_line(url: &str, space: &Space) -> Result<String, BoxError> {
    let (_, server) = redirected(url, None);
    let line = space.lines_to([&*server]).await?;
    Ok(redirected(url, line.first().map(String::as_str)).0)
}

/// Returns the URL with another host and port, and the ones that it had.
fn redirected(url: &str, address: Option<&str>) -> (String, String) {
    let start = url.find("://").map_or(0, |colon| colon + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |slash| start + slash);
    let start = url[..end].rfind('@').map_or(start, |at| at + 1);
    let address = address.unwrap_or_default();
    (format!("{}{address}{}", &url[..start], &url[end..]), url[start..end].to_owned())
}
