//! The stored form: turning a record into its encrypted form and back.
//!
//! What is encrypted is one byte with the length of the owner (0: no owner), the owner, and the text of the data.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305};
use serde::Deserialize;
use session_core::{Data, Error, OwnerId, Record, Result, SessionKey};

use crate::associated::associated_data;
use crate::{BlindingKey, EncryptionKeys, Unreadable};

pub(crate) const NONCE_LENGTH: usize = 24;
pub(crate) const TAG_LENGTH: usize = 16;

// The text around the key id, the nonce and the encrypted part. None of the three needs escaping.
pub(crate) const K: &str = r#"{"sealed":1,"k":""#;
pub(crate) const N: &str = r#"","n":""#;
pub(crate) const C: &str = r#"","c":""#;
pub(crate) const END: &str = r#""}"#;

/// Encrypts and decrypts the records of one namespace.
#[derive(Clone)]
pub(crate) struct Sealer {
    pub(crate) namespace: Arc<str>,
    pub(crate) keys: EncryptionKeys,
    pub(crate) blinding: Option<BlindingKey>,
    pub(crate) accepts_plaintext: bool,
    /// Fills a nonce; the operating system's randomness, except in tests that need a known or a failing one.
    pub(crate) random: fn(&mut [u8]) -> Result<(), getrandom::Error>,
}

/// The stored form as it is read. A field that is not one of these is damage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    sealed: u64,
    #[serde(borrow)]
    k: Cow<'a, str>,
    #[serde(borrow)]
    n: Cow<'a, str>,
    #[serde(borrow)]
    c: Cow<'a, str>,
}

/// A record in the clear, and whether it would be stored in the same way today.
pub(crate) struct Opened {
    pub(crate) record: Record,
    pub(crate) is_current: bool,
}

impl Sealer {
    /// Returns the owner as the index stores it.
    pub(crate) fn stored_owner<'a>(&self, owner: &'a OwnerId) -> Result<Cow<'a, OwnerId>> {
        match &self.blinding {
            Some(key) => key.blind(&self.namespace, owner).map(Cow::Owned),
            None => Ok(Cow::Borrowed(owner)),
        }
    }

    /// Encrypts a record for the place under `key`, with the first key and a random nonce; times stay as they are.
    pub(crate) fn seal(&self, key: &SessionKey, record: &Record) -> Result<Record> {
        let mut nonce = [0; NONCE_LENGTH];
        (self.random)(&mut nonce).map_err(Error::backend)?;
        let stored_owner = record.owner.as_ref().map(|owner| self.stored_owner(owner)).transpose()?;
        let encryption = self.keys.first();
        let associated = associated_data(&self.namespace, key, encryption.id(), stored_owner.as_deref());

        let mut buffer = clear_bytes(record)?;
        XChaCha20Poly1305::new(encryption.secret().expose().into())
            .encrypt_in_place(&nonce.into(), &associated, &mut buffer)
            .map_err(|_| Error::backend("the data is too large for the cipher"))?;

        let frame = K.len() + encryption.id().len() + N.len() + NONCE_LENGTH / 3 * 4 + C.len() + END.len();
        let mut text = String::with_capacity(frame + buffer.len().div_ceil(3) * 4);
        text.push_str(K);
        text.push_str(encryption.id());
        text.push_str(N);
        URL_SAFE_NO_PAD.encode_string(nonce, &mut text);
        text.push_str(C);
        URL_SAFE_NO_PAD.encode_string(&buffer, &mut text);
        text.push_str(END);

        let mut sealed = record.clone();
        sealed.data = Data::trust(text);
        sealed.owner = stored_owner.map(Cow::into_owned);
        Ok(sealed)
    }

    /// Decrypts what is stored under `key`. What does not open is [`Error::Corrupt`].
    pub(crate) fn open(&self, key: &SessionKey, stored: Record) -> Result<Opened> {
        match self.try_open(key, &stored) {
            Ok(opened) => Ok(opened),
            Err(Unreadable::Plaintext) if self.accepts_plaintext => Ok(Opened { record: stored, is_current: false }),
            Err(reason) => Err(Error::corrupt(reason)),
        }
    }

    fn try_open(&self, key: &SessionKey, stored: &Record) -> Result<Opened, Unreadable> {
        let sealed = parse(&stored.data)?;
        let encryption = self.keys.find(&sealed.k).ok_or(Unreadable::UnknownKey)?;
        let nonce = URL_SAFE_NO_PAD.decode(&*sealed.n).map_err(|_| Unreadable::Malformed)?;
        let nonce = <[u8; NONCE_LENGTH]>::try_from(nonce).map_err(|_| Unreadable::Malformed)?;
        let mut buffer = URL_SAFE_NO_PAD.decode(&*sealed.c).map_err(|_| Unreadable::Malformed)?;
        let associated = associated_data(&self.namespace, key, encryption.id(), stored.owner.as_ref());
        XChaCha20Poly1305::new(encryption.secret().expose().into())
            .decrypt_in_place(&nonce.into(), &associated, &mut buffer)
            .map_err(|_| Unreadable::NotAuthentic)?;

        let (owner, data) = parse_clear_bytes(&buffer).ok_or(Unreadable::Malformed)?;
        let stored_today = owner.as_ref().map(|owner| self.stored_owner(owner)).transpose();
        let is_current = encryption.id() == self.keys.first().id()
            && stored_today.is_ok_and(|today| today.as_deref() == stored.owner.as_ref());
        let mut record = stored.clone();
        (record.owner, record.data) = (owner, data);
        Ok(Opened { record, is_current })
    }
}

/// Reads the stored form; says what is wrong with it only where it is wrong.
fn parse(data: &Data) -> Result<Sealed<'_>, Unreadable> {
    if let Ok(sealed @ Sealed { sealed: 1, .. }) = serde_json::from_str(data.as_str()) {
        return Ok(sealed);
    }
    match data.raw("sealed").map(|version| version.get()) {
        None => Err(Unreadable::Plaintext),
        Some("1") => Err(Unreadable::Malformed),
        Some(_) => Err(Unreadable::UnknownFormat),
    }
}

/// Returns what is encrypted, with room for the tag.
fn clear_bytes(record: &Record) -> Result<Vec<u8>> {
    let owner = record.owner.as_ref().map_or("", OwnerId::as_str);
    let mut bytes = Vec::with_capacity(1 + owner.len() + record.data.as_str().len() + TAG_LENGTH);
    // An owner has at most 255 bytes.
    bytes.push(u8::try_from(owner.len()).map_err(Error::backend)?);
    bytes.extend_from_slice(owner.as_bytes());
    bytes.extend_from_slice(record.data.as_str().as_bytes());
    Ok(bytes)
}

fn parse_clear_bytes(bytes: &[u8]) -> Option<(Option<OwnerId>, Data)> {
    let (&length, rest) = bytes.split_first()?;
    let (owner, data) = rest.split_at_checked(usize::from(length))?;
    let owner = match std::str::from_utf8(owner).ok()? {
        "" => None,
        owner => Some(OwnerId::parse(owner).ok()?),
    };
    // It was data when it was encrypted, and nobody else has the key.
    Some((owner, Data::trust(std::str::from_utf8(data).ok()?)))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("namespace", &self.namespace)
            .field("keys", &self.keys)
            .field("blinding", &self.blinding)
            .field("accepts_plaintext", &self.accepts_plaintext)
            .finish_non_exhaustive()
    }
}
