//! The secrets that sign the cookie.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use session_core::{RandomnessUnavailable, SessionId};
use sha2::Sha256;

/// The secrets that sign the session's cookie: the first signs, all of them verify.
///
/// To change a secret, put the new one in front and drop the old one when the sessions that it signed have ended. A cookie of an
/// old secret is signed anew when its session is next written or extended.
/// `Debug` shows how many there are.
///
/// ```
/// use session_http::{InvalidSecrets, Secrets};
///
/// let secrets = Secrets::new(["the new secret, 32 bytes or more, random", "the secret that was used before, random"])?;
/// assert_eq!(format!("{secrets:?}"), "Secrets(2 redacted)");
/// assert!(matches!(Secrets::new(["too short"]), Err(InvalidSecrets::TooShort)));
/// # Ok::<(), InvalidSecrets>(())
/// ```
#[derive(Clone)]
pub struct Secrets(Vec<Hmac<Sha256>>);

/// The refusal of secrets that protect nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecrets {
    /// The list is empty.
    #[error("at least one secret is needed to sign cookies")]
    Missing,
    /// One of the secrets is shorter than [`Secrets::MIN_LENGTH`].
    #[error("a secret that signs cookies has at least 32 bytes")]
    TooShort,
}

impl Secrets {
    /// The fewest bytes that a secret may have, the length of the signature's hash.
    pub const MIN_LENGTH: usize = 32;

    /// Takes the secrets, the one that signs first. Refuses an empty list and a secret of less than 32 bytes.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        let keyed: Vec<_> = secrets.into_iter().map(|secret| keyed(secret.as_ref())).collect::<Result<_, _>>()?;
        if keyed.is_empty() { Err(InvalidSecrets::Missing) } else { Ok(Self(keyed)) }
    }

    /// Takes secrets of every length but zero, as Express does.
    pub(crate) fn of_any_length<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        let key =
            |secret: S| if secret.as_ref().is_empty() { Err(InvalidSecrets::TooShort) } else { hmac(secret.as_ref()) };
        let keyed: Vec<_> = secrets.into_iter().map(key).collect::<Result<_, _>>()?;
        if keyed.is_empty() { Err(InvalidSecrets::Missing) } else { Ok(Self(keyed)) }
    }

    /// Makes one secret from the system's randomness, for tests and development.
    ///
    /// Nobody else knows it: every session ends when the process does, and two processes do not accept each other's cookies.
    pub fn random_for_development() -> Result<Self, RandomnessUnavailable> {
        let (one, two) = (SessionId::generate()?, SessionId::generate()?);
        // 64 characters that carry 384 random bits are long enough.
        Ok(Self(keyed([one.expose(), two.expose()].concat().as_bytes()).into_iter().collect()))
    }

    pub(crate) fn are_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns the HMAC-SHA256 of a message under the first secret.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        // No constructor makes an empty list; without a secret nothing verifies either.
        self.0.first().map_or([0; 32], |mac| mac.clone().chain_update(message).finalize().into_bytes().into())
    }

    /// Says whether one of the secrets made this signature. The comparison takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|mac| mac.clone().chain_update(message).verify_slice(signature).is_ok())
    }
}

fn keyed(secret: &[u8]) -> Result<Hmac<Sha256>, InvalidSecrets> {
    if secret.len() < Secrets::MIN_LENGTH {
        return Err(InvalidSecrets::TooShort);
    }
    hmac(secret)
}

fn hmac(secret: &[u8]) -> Result<Hmac<Sha256>, InvalidSecrets> {
    // HMAC takes keys of every length.
    Hmac::new_from_slice(secret).map_err(|_| InvalidSecrets::TooShort)
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} redacted)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "the secret that was used before, random";
    const NEW: &str = "the new secret, 32 bytes or more, random";

    fn secrets(list: &[&str]) -> Secrets {
        Secrets::new(list).expect("the test's secrets are long enough")
    }

    #[test]
    fn the_first_signs_and_all_verify() {
        let by_old = secrets(&[OLD]).sign(b"message");
        assert!(secrets(&[NEW, OLD]).verify(b"message", &by_old));
        assert!(!secrets(&[NEW]).verify(b"message", &by_old));
        assert_eq!(secrets(&[NEW, OLD]).sign(b"message"), secrets(&[NEW]).sign(b"message"));
        assert!(!secrets(&[OLD]).verify(b"message", &by_old[..31]));
        assert!(!secrets(&[OLD]).verify(b"massage", &by_old));
    }

    #[test]
    fn short_and_absent_secrets_are_refused() {
        assert_eq!(Secrets::new([""; 0]).err(), Some(InvalidSecrets::Missing));
        assert_eq!(Secrets::new([&[7; 31]]).err(), Some(InvalidSecrets::TooShort));
        assert_eq!(Secrets::new([NEW, ""]).err(), Some(InvalidSecrets::TooShort));
        assert!(Secrets::new([&[7; 32]]).is_ok());
    }

    #[test]
    fn random_secrets_differ() {
        let random = || Secrets::random_for_development().expect("the test machine has randomness");
        assert!(!random().verify(b"message", &random().sign(b"message")));
    }
}
