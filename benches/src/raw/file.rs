//! Files in 256 folders: a temporary file that is renamed into place, and one hop to a thread that may block for each call.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Session, exactly_one};
use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// A folder with 256 folders.
pub struct Files {
    folder: PathBuf,
    is_synced: bool,
}

impl Files {
    /// Makes the folders.
    pub fn new(folder: PathBuf, is_synced: bool) -> io::Result<Self> {
        for number in 0..256 {
            fs::create_dir_all(folder.join(format!("{number:02x}")))?;
        }
        Ok(Self { folder, is_synced })
    }

    fn path(&self, session: &Session) -> PathBuf {
        self.folder.join(&session.key[..2]).join(&session.key)
    }

    async fn write(&self, session: &Session, text: &Arc<str>) -> Outcome<()> {
        let (path, text, is_synced) = (self.path(session), Arc::clone(text), self.is_synced);
        hop(move || {
            let draft = path.with_extension("new");
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.set_times(FileTimes::new().set_modified(SystemTime::now() + LIFETIME))?;
            if is_synced {
                file.sync_data()?;
            }
            fs::rename(&draft, &path)?;
            if let (true, Some(folder)) = (is_synced, path.parent()) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await
    }
}

async fn hop<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Outcome<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

impl Contestant for Files {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let session = Session::fresh()?;
        self.write(&session, &body.text).await?;
        Ok(session)
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        let path = self.path(session);
        let text = hop(move || {
            let file = File::open(path)?;
            let ends = file.metadata()?.modified()?;
            Ok((io::read_to_string(file)?, ends))
        })
        .await?;
        Ok(!text.0.is_empty() && SystemTime::now() < text.1)
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        self.write(session, &body.text).await
    }

    async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        session.touches += 1;
        let (path, touches, is_synced) = (self.path(session), session.touches, self.is_synced);
        hop(move || {
            let file = OpenOptions::new().write(true).open(path)?;
            let ends = SystemTime::now() + LIFETIME + Duration::from_millis(touches.into());
            file.set_times(FileTimes::new().set_modified(ends))?;
            if is_synced { file.sync_all() } else { Ok(()) }
        })
        .await
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        let (path, is_synced) = (self.path(&session), self.is_synced);
        hop(move || {
            fs::remove_file(&path)?;
            if let (true, Some(folder)) = (is_synced, path.parent()) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await?;
        exactly_one(1)
    }
}
