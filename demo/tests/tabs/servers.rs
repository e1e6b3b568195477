//! The servers that the browsers ask.

use tempfile::TempDir;

use crate::settings::Settings;
use crate::support::{self, Server};

/// Running servers that share their sessions; those that were started here end when this is dropped.
pub(crate) struct Servers {
    pub(crate) urls: Vec<String>,
    _started: Vec<Server>,
    /// Declared last, so that it goes after those who write to it.
    _folder: TempDir,
}

impl Servers {
    pub(crate) fn start(settings: &Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if !settings.at.is_empty() {
            return Self { urls: settings.at.clone(), _started: vec![], _folder: folder };
        }
        let store = match &settings.store {
            Some(url) => url.clone(),
            None if settings.processes > 1 => support::sqlite(folder.path()),
            None => "memory:".to_owned(),
        };
        let start = |_| {
            let mut command = support::command();
            command.args(["--store", &store]).env("SESSION_SECRET", "what all processes of a test sign with");
            if std::env::var_os(support::TRACES).is_none() {
                // Thousands of lines, which nobody reads.
                command.env("RUST_LOG", "error");
            }
            Server::start(&mut command)
        };
        let started: Vec<Server> = (0..settings.processes).map(start).collect();
        Self { urls: started.iter().map(|server| server.url.clone()).collect(), _started: started, _folder: folder }
    }
}
