//! Servers of the test's own, and a line to one that can be made to fail.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use session_core::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server in a folder of its own, which both go with the test.
pub(crate) struct Server {
    process: Child,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) line: MultiplexedConnection,
}

impl Server {
    pub(crate) async fn start(options: &[&str]) -> Result<Self, BoxError> {
        Self::start_as("redis-server", options).await
    }

    /// Starts a server, or a sentinel whose configuration file the options begin with. It is reached at a socket too.
    pub(crate) async fn start_as(program: &str, options: &[&str]) -> Result<Self, BoxError> {
        let folder = std::env::temp_dir().join(format!("redis-faults-{:x}", session_core::Revision::fresh().number()));
        std::fs::create_dir(&folder)?;
        let port = free_port()?;
        let socket = folder.join("socket");
        let mut command = Command::new(program);
        // A name in the options may be of a file in the folder.
        command.args(options.iter().map(|option| option.replace("FOLDER", &folder.to_string_lossy())));
        if program == "redis-server" {
            command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
            command.args(["--port", &port.to_string()]);
        }
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(&folder).stdout(Stdio::null());
        let process = command.spawn()?;
        let client = redis::Client::open(format!("redis+unix://{}", socket.display()))?;
        let start = Instant::now();
        loop {
            match client.get_multiplexed_async_connection().await {
                Ok(line) => return Ok(Self { process, folder, port, line }),
                Err(error) if start.elapsed() > Duration::from_secs(20) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn tell(&mut self, command: &[&str]) -> Result<redis::Value, BoxError> {
        Ok(redis::cmd(command[0]).arg(&command[1..]).query_async(&mut self.line).await?)
    }

    /// Lets it stand still, with all its connections.
    pub(crate) fn stop(&self) -> Result<(), BoxError> {
        Command::new("kill").args(["-STOP", &self.process.id().to_string()]).status()?;
        Ok(())
    }

    /// How often a script has run.
    pub(crate) async fn scripts(&mut self) -> Result<u64, BoxError> {
        let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.line).await?;
        let calls =
            |name| info.lines().find_map(|line| line.strip_prefix(name)?.split(',').next()?.parse::<u64>().ok());
        Ok(calls("cmdstat_evalsha:calls=").unwrap_or(0) + calls("cmdstat_eval:calls=").unwrap_or(0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop((self.process.kill(), self.process.wait(), std::fs::remove_dir_all(&self.folder)));
    }
}

pub(crate) fn free_port() -> Result<u16, BoxError> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What becomes of connections to a server.
#[derive(Default)]
pub(crate) struct Weather {
    /// Those that are there lead nowhere from now on, without a word; new ones work.
    pub(crate) forgotten_before: AtomicU64,
    /// New ones wait so many milliseconds before anything goes on.
    pub(crate) greets_after: AtomicU64,
    /// What is asked next goes on, and the connection ends before the answer.
    pub(crate) is_cut: AtomicBool,
    count: AtomicU64,
}

impl Weather {
    pub(crate) fn forget(&self) {
        self.forgotten_before.store(self.count.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Lays a line to a port, and returns its own.
pub(crate) async fn line_to(port: u16, weather: Arc<Weather>) -> Result<u16, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, port, Arc::clone(&weather)));
        }
    });
    Ok(own)
}

async fn carry(mut client: TcpStream, port: u16, weather: Arc<Weather>) -> std::io::Result<()> {
    let number = weather.count.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(weather.greets_after.load(Ordering::Relaxed))).await;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut asked, mut answered) = ([0; 65_536], [0; 65_536]);
    loop {
        let is_forgotten = || number < weather.forgotten_before.load(Ordering::Relaxed);
        tokio::select! {
            count = client.read(&mut asked) => match count? {
                0 => return Ok(()),
                _ if is_forgotten() => {}
                count => {
                    server.write_all(&asked[..count]).await?;
                    if weather.is_cut.swap(false, Ordering::Relaxed) {
                        // The server has it.
                        let _ = server.read(&mut answered).await?;
                        return Ok(());
                    }
                }
            },
            count = server.read(&mut answered) => match count? {
                0 => return Ok(()),
                _ if is_forgotten() => {}
                count => client.write_all(&answered[..count]).await?,
            },
        }
    }
}
