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
pub struct Secrets(Vec<Keys>);

/// What one secret is used for: a key for signatures, and one to derive others from, neither of which leads to the other.
#[derive(Clone)]
struct Keys {
    signs: Hmac<Sha256>,
    derives: Hmac<Sha256>,
}

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
    /// One of the secrets is empty.
    #[error("a secret that signs cookies is not empty")]
    Empty,
}

impl Secrets {
    /// The fewest bytes that a secret may have, the length of the signature's hash.
    pub const MIN_LENGTH: usize = 32;

    /// Takes the secrets, the one that signs first.
    ///
    /// # Errors
    ///
    /// [`InvalidSecrets::Missing`] for an empty list, [`InvalidSecrets::TooShort`] for a secret of less than 32 bytes.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        Self::checked(secrets, Self::MIN_LENGTH, InvalidSecrets::TooShort)
    }

    /// Takes secrets of every length but zero, as some other programs do. Secrets of less than 32 random bytes can be guessed.
    ///
    /// # Errors
    ///
    /// [`InvalidSecrets::Missing`] for an empty list, [`InvalidSecrets::Empty`] for an empty secret.
    pub fn of_any_length<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, InvalidSecrets> {
        Self::checked(secrets, 1, InvalidSecrets::Empty)
    }

    fn checked<S: AsRef<[u8]>>(
        secrets: impl IntoIterator<Item = S>,
        least: usize,
        refusal: InvalidSecrets,
    ) -> Result<Self, InvalidSecrets> {
        let key = |secret: S| if secret.as_ref().len() < least { Err(refusal) } else { Keys::of(secret.as_ref()) };
        let keys: Vec<_> = secrets.into_iter().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidSecrets::Missing) } else { Ok(Self(keys)) }
    }

    /// Makes one secret from the system's randomness, for tests and development.
    ///
    /// Nobody else knows it: every session ends when the process does, and two processes do not accept each other's cookies.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub fn random_for_development() -> Result<Self, RandomnessUnavailable> {
        let (one, two) = (SessionId::generate()?, SessionId::generate()?);
        // 64 characters that carry 384 random bits are long enough.
        Ok(Self(Keys::of([one.expose(), two.expose()].concat().as_bytes()).into_iter().collect()))
    }

    pub(crate) fn are_single(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns the HMAC-SHA256 of a message under the first secret.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        // No constructor makes an empty list; without a secret nothing verifies either.
        self.0.first().map_or([0; 32], |keys| digest(&keys.signs, &[message]))
    }

    /// Says whether one of the secrets made this signature. The comparison takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|keys| keys.signs.clone().chain_update(message).verify_slice(signature).is_ok())
    }

    /// Derives other secrets for one use and one name (HKDF, RFC 5869, with length-prefixed fields): what they sign is no signature of these, nor
    /// of another name.
    pub(crate) fn derive(&self, purpose: &str, name: &str) -> Self {
        let length = |text: &str| (text.len() as u64).to_be_bytes();
        let derive = |keys: &Keys| {
            let info: [&[u8]; 5] = [&length(purpose), purpose.as_bytes(), &length(name), name.as_bytes(), &[1]];
            Keys::of(&digest(&keys.derives, &info)).ok()
        };
        Self(self.0.iter().filter_map(derive).collect())
    }
}

impl Keys {
    fn of(secret: &[u8]) -> Result<Self, InvalidSecrets> {
        let extracted = digest(&hmac(b"session-http: what is derived")?, &[secret]);
        Ok(Self { signs: hmac(secret)?, derives: hmac(&extracted)? })
    }
}

fn hmac(key: &[u8]) -> Result<Hmac<Sha256>, InvalidSecrets> {
    // HMAC takes keys of every length.
    Hmac::new_from_slice(key).map_err(|_| InvalidSecrets::TooShort)
}

fn digest(key: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(key.clone(), |mac, part| mac.chain_update(part)).finalize().into_bytes().into()
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
    fn short_and_absent_secrets_are_refused_each_with_its_reason() {
        assert_eq!(Secrets::new([""; 0]).err(), Some(InvalidSecrets::Missing));
        assert_eq!(Secrets::new([&[7; 31]]).err(), Some(InvalidSecrets::TooShort));
        assert_eq!(Secrets::new([NEW, ""]).err(), Some(InvalidSecrets::TooShort));
        assert!(Secrets::new([&[7; 32]]).is_ok());
        assert_eq!(Secrets::of_any_length([NEW, ""]).err(), Some(InvalidSecrets::Empty));
        assert!(Secrets::of_any_length(["k"]).is_ok());
    }

    #[test]
    fn random_secrets_differ() {
        let random = || Secrets::random_for_development().expect("the test machine has randomness");
        assert!(!random().verify(b"message", &random().sign(b"message")));
    }

    #[test]
    fn what_is_derived_is_apart_by_purpose_and_name_and_follows_the_list() {
        let both = secrets(&[NEW, OLD]);
        let of_old = secrets(&[OLD]).derive("cookie", "a");
        assert!(both.derive("cookie", "a").verify(b"message", &of_old.sign(b"message")));
        for other in [both.clone(), both.derive("cookie", "b"), both.derive("cooki", "ea"), both.derive("cookiea", "")]
        {
            assert!(!other.verify(b"message", &of_old.sign(b"message")));
        }
    }
}
