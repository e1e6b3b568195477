//! The master that Sentinel names.

use futures_util::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult};

use crate::connection::to;

/// A service, and who knows its master.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) sentinels: Vec<ConnectionInfo>,
    /// How to connect to the master; the address is what Sentinel says.
    pub(crate) master: ConnectionInfo,
}

impl Service {
    /// Asks all sentinels at once, so that one that is dead holds nobody up, and connects to the master that the first one names.
    pub(crate) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let asked = self.sentinels.iter().map(|sentinel| Box::pin(self.ask(sentinel)));
        let ((host, port), _) = select_ok(asked).await?;
        let address = match self.master.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let mut line = to(self.master.clone().set_addr(address)).await?;
        // What Sentinel says may be a moment old, and a demoted master serves sessions that have ended.
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut line).await?;
        match role.into_iter().next().map(redis::from_redis_value::<String>) {
            Some(Ok(role)) if role == "master" => Ok(line),
            _ => Err(not_found()),
        }
    }

    async fn ask(&self, sentinel: &ConnectionInfo) -> RedisResult<(String, u16)> {
        let mut line = to(sentinel.clone()).await?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("get-master-addr-by-name").arg(&self.name);
        command.query_async::<Option<(String, u16)>>(&mut line).await?.ok_or_else(not_found)
    }
}

fn not_found() -> RedisError {
    RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no sentinel names a master that is one"))
}
