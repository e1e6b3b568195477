//! How an id is written in the cookie, and read from it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use session_core::SessionId;

use crate::Secrets;

/// How a session id is written in the cookie's value and read from it: the place where another program's format plugs in.
pub trait CookieFormat: fmt::Debug + Send + Sync {
    /// Writes the id with its signature; the text consists of characters that a cookie's value may have.
    fn write(&self, id: &SessionId, secrets: &Secrets) -> String;

    /// Reads what a client presents; `None` unless it is an id with a valid signature. Does no I/O.
    fn read(&self, value: &[u8], secrets: &Secrets) -> Option<SessionId>;
}

/// The format of this library: the id, a dot, and the HMAC-SHA256 of the id in URL-safe base64 without padding.
///
/// ```
/// use session_core::SessionId;
/// use session_http::{CookieFormat, Secrets, SignedId};
///
/// let id = SessionId::parse("tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3")?;
/// let secrets = Secrets::new(["an example's secret of 32 bytes."])?;
/// // printf %s "$id" | openssl dgst -sha256 -hmac "$secret" -binary | basenc --base64url | tr -d =
/// let value = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3._wHVfQujq2NSM7Nlao4TxyPwEUrif-27TCihI7Gs3ws";
/// assert_eq!(SignedId.write(&id, &secrets), value);
/// assert_eq!(SignedId.read(value.as_bytes(), &secrets), Some(id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignedId;

/// The length of 32 bytes in base64 without padding.
const SIGNATURE_LENGTH: usize = 43;

impl CookieFormat for SignedId {
    fn write(&self, id: &SessionId, secrets: &Secrets) -> String {
        let mut value = String::with_capacity(SessionId::LENGTH + 1 + SIGNATURE_LENGTH);
        value.push_str(id.expose());
        value.push('.');
        URL_SAFE_NO_PAD.encode_string(secrets.sign(id.expose().as_bytes()), &mut value);
        value
    }

    fn read(&self, value: &[u8], secrets: &Secrets) -> Option<SessionId> {
        // The length decides before anything is decoded or hashed.
        if value.len() != SessionId::LENGTH + 1 + SIGNATURE_LENGTH {
            return None;
        }
        let (id, signature) = std::str::from_utf8(value).ok()?.split_once('.')?;
        let id = SessionId::parse(id).ok()?;
        let mut mac = [0; 32];
        let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut mac).ok()?;
        secrets.verify(id.expose().as_bytes(), &mac[..length]).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_change_of_a_character_is_refused() {
        let secrets = Secrets::random_for_development().expect("the test machine has randomness");
        let id = SessionId::generate().expect("the test machine has randomness");
        let value = SignedId.write(&id, &secrets).into_bytes();
        assert_eq!(SignedId.read(&value, &secrets), Some(id));
        for place in 0..value.len() {
            for byte in 0..=255 {
                let mut forged = value.clone();
                forged[place] = byte;
                assert!(forged == value || SignedId.read(&forged, &secrets).is_none(), "{place} {byte}");
            }
            assert_eq!(SignedId.read(&value[place..value.len() - 1], &secrets), None);
        }
    }
}
