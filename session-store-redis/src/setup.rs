//! The layout's number, and what the server has to be set to.

use session_core::{Error, LayoutError, Result};

use crate::RedisStore;

/// The number of the layout that this version reads and writes.
const LAYOUT: u32 = 2;

impl RedisStore {
    /// Notes the number of the layout under the prefix, and then [verifies](Self::verify).
    ///
    /// Calling it again, or from ten processes at once, is fine.
    ///
    /// # Errors
    ///
    /// [`Backend`](Error::Backend) with a [`LayoutError`] if another version has written under the prefix, or if the server would drop
    /// what it is to keep; [`Unavailable`](Error::Unavailable) if it cannot be reached.
    pub async fn setup(&self) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(self.names.layout()).arg(LAYOUT).arg("NX");
        self.ask::<Option<String>>(&command).await?;
        self.verify().await
    }

    /// Says whether the layout under the prefix is the one that this version works with, and whether the server keeps what it is
    /// given: with a limit of memory and another `maxmemory-policy` than `noeviction` it drops entries of the index, and sessions that
    /// nobody finds live on. Makes nothing.
    ///
    /// # Errors
    ///
    /// As [`setup`](Self::setup); [`LayoutError::Absent`] if nothing has been set up.
    pub async fn verify(&self) -> Result<()> {
        let found: Option<String> = self.ask(redis::cmd("GET").arg(self.names.layout())).await?;
        match found.map(|number| number.parse::<u32>()) {
            None => return Err(LayoutError::Absent.into()),
            Some(Ok(LAYOUT)) => {}
            Some(Ok(found)) if found < LAYOUT => return Err(LayoutError::Older { found, needed: LAYOUT }.into()),
            Some(Ok(found)) => return Err(LayoutError::Newer { found, known: LAYOUT }.into()),
            Some(Err(_)) => return Err(LayoutError::Foreign.into()),
        }
        // Some that are hosted do not tell.
        let info: String = match self.ask(redis::cmd("INFO").arg("memory")).await {
            Err(Error::Backend(_)) => return Ok(()),
            info => info?,
        };
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        if field("maxmemory:") == "0" || matches!(field("maxmemory_policy:"), "noeviction" | "") {
            return Ok(());
        }
        Err(LayoutError::Incomplete { part: "`maxmemory-policy noeviction`".to_owned() }.into())
    }
}
