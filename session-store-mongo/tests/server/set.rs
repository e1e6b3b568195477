//! A replica set of this test's own, whose members can be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use session_core::BoxError;

pub(crate) struct Set {
    program: PathBuf,
    folder: tempfile::TempDir,
    ports: Vec<u16>,
    members: Vec<Option<Child>>,
}

impl Set {
    /// Starts three members that notice a dead primary after two seconds, and waits for a primary.
    pub(crate) async fn start(program: &str) -> Result<Self, BoxError> {
        let listeners: Vec<_> =
            (0..3).map(|_| std::net::TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
        let ports =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<std::io::Result<_>>()?;
        drop(listeners);
        let folder = tempfile::tempdir()?;
        let mut set = Self { program: program.into(), folder, ports, members: Vec::new() };
        for number in 0..3 {
            std::fs::create_dir(set.path(number))?;
            let member = set.spawn(number)?;
            set.members.push(Some(member));
        }
        // They look for each other when the set is made. The driver waits for a server that does not listen yet.
        for number in 0..3 {
            set.ask(number, doc! { "ping": 1 }).await?;
        }
        let members: Vec<Document> = (0..3)
            .map(|number| doc! { "_id": number as i32, "host": format!("127.0.0.1:{}", set.ports[number]) })
            .collect();
        let settings = doc! { "electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500 };
        let config = doc! { "_id": "own", "members": members, "settings": settings };
        set.ask(0, doc! { "replSetInitiate": config }).await?;
        set.wait_until_well().await?;
        Ok(set)
    }

    /// Starts one server that is no set.
    pub(crate) async fn start_one(program: &str, options: &[&str]) -> Result<Self, BoxError> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut set =
            Self { program: program.into(), folder: tempfile::tempdir()?, ports: vec![port], members: Vec::new() };
        std::fs::create_dir(set.path(0))?;
        let member = set.spawn_with(0, options)?;
        set.members.push(Some(member));
        Ok(set)
    }

    pub(crate) fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Sends a signal to a member, by its name.
    pub(crate) fn signal(&self, number: usize, name: &str) -> Result<(), BoxError> {
        let member = self.members[number].as_ref().ok_or("it runs")?;
        let status = Command::new("kill").arg(format!("-{name}")).arg(member.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err("kill failed".into()) }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("mongodb://{}/?replicaSet=own", hosts.join(","))
    }

    /// Returns the number of the primary.
    pub(crate) async fn primary(&self) -> Result<usize, BoxError> {
        for number in 0..self.members.len() {
            if self.ask(number, doc! { "hello": 1 }).await?.get_bool("isWritablePrimary")? {
                return Ok(number);
            }
        }
        Err("the set has no primary".into())
    }

    /// Kills the primary, as a power cut does, and returns its number.
    pub(crate) async fn kill_primary(&mut self) -> Result<usize, BoxError> {
        let number = self.primary().await?;
        if let Some(mut member) = self.members[number].take() {
            member.kill()?;
            member.wait()?;
        }
        Ok(number)
    }

    /// Starts a member that was killed, on what it had stored.
    pub(crate) fn revive(&mut self, number: usize) -> Result<(), BoxError> {
        self.members[number] = Some(self.spawn(number)?);
        Ok(())
    }

    /// Waits until there is a primary, and all others follow it.
    pub(crate) async fn wait_until_well(&self) -> Result<(), BoxError> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Ok(status) = self.ask(0, doc! { "replSetGetStatus": 1 }).await {
                let states = status
                    .get_array("members")?
                    .iter()
                    .filter_map(|member| member.as_document()?.get_i32("state").ok());
                let mut states: Vec<i32> = states.collect();
                states.sort_unstable();
                if states == [1, 2, 2] {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the set does not get well".into())
    }

    fn path(&self, number: usize) -> PathBuf {
        Path::join(self.folder.path(), number.to_string())
    }

    fn spawn(&self, number: usize) -> Result<Child, BoxError> {
        self.spawn_with(number, &["--replSet", "own", "--oplogSize", "128"])
    }

    fn spawn_with(&self, number: usize, options: &[&str]) -> Result<Child, BoxError> {
        let path = self.path(number);
        let child = Command::new(&self.program)
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket"])
            .args(options)
            .args(["--wiredTigerCacheSizeGB", "0.25", "--port", &self.ports[number].to_string()])
            .arg("--dbpath")
            .arg(&path)
            .arg("--logpath")
            .arg(path.join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(child)
    }

    async fn ask(&self, number: usize, command: Document) -> Result<Document, BoxError> {
        let url = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.ports[number]);
        Ok(Client::with_uri_str(url).await?.database("admin").run_command(command).await?)
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        for member in self.members.iter_mut().flatten() {
            drop((member.kill(), member.wait()));
        }
    }
}
