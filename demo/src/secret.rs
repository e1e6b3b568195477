//! The secret that signs the cookies, and where it comes from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The fewest bytes that a secret from the environment may have.
const MIN_BYTES: usize = 32;

/// A text nobody can guess. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the variable SESSION_SECRET has fewer than {MIN_BYTES} bytes")]
    TooShort,
    #[error("the file `{}` does not hold a secret; delete it to get a new one", .0.display())]
    Damaged(PathBuf),
    #[error("cannot read or create the secret's file `{}`", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("the operating system gave no random bytes")]
    Randomness(#[source] getrandom::Error),
}

impl Secret {
    /// Takes the secret of the environment if there is one, else that of `file`, else one for this run only.
    pub(crate) fn find(environment: Option<String>, file: Option<&Path>) -> Result<Self, SecretError> {
        match (environment, file) {
            (Some(text), _) if text.len() < MIN_BYTES => Err(SecretError::TooShort),
            (Some(text), _) => Ok(Self(text)),
            (None, Some(file)) => Self::read_or_create(file),
            (None, None) => Self::random(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Reads the file; creates it for its owner alone if it is not there.
    fn read_or_create(file: &Path) -> Result<Self, SecretError> {
        let failed = |error| SecretError::File(file.to_owned(), error);
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = Self::random()?;
                publish(file, &secret.0).map_err(failed)?;
                // Another process may have been first; what is in the file counts.
                fs::read_to_string(file).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let text = text.trim();
        if text.len() < MIN_BYTES { Err(SecretError::Damaged(file.to_owned())) } else { Ok(Self(text.to_owned())) }
    }

    fn random() -> Result<Self, SecretError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(SecretError::Randomness)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

/// Makes the file appear at once and whole, or leaves alone what is there.
fn publish(file: &Path, text: &str) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(&draft)?;
    let outcome =
        writeln!(opened, "{text}").and_then(|()| opened.sync_all()).and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_and_is_checked() {
        let long = "x".repeat(32);
        assert_eq!(Secret::find(Some(long.clone()), None).expect("long enough").as_bytes(), long.as_bytes());
        assert!(matches!(Secret::find(Some("short".into()), None), Err(SecretError::TooShort)));
        let random = || Secret::find(None, None).expect("the test machine has randomness");
        assert_ne!(random(), random());
        assert_eq!(format!("{:?}", random()), "Secret(redacted)");
    }

    #[test]
    fn a_file_keeps_the_secret_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("the test machine has a temporary folder");
        let file = folder.path().join("demo.sqlite-secret");
        let first = Secret::find(None, Some(&file)).expect("the folder can be written to");
        assert_eq!(Secret::find(None, Some(&file)).expect("the file can be read"), first);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder can be read").count(), 1);
        #[cfg(unix)]
        {
            let metadata = fs::metadata(&file).expect("the file is there");
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
        }
        fs::write(&file, "cut").expect("the file can be written");
        assert!(matches!(Secret::find(None, Some(&file)), Err(SecretError::Damaged(_))));
    }
}
