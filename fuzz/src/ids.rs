//! What arrives as an id, a key, an owner, the key of an encryption, or a time.

use session_core::{OwnerId, SessionId, SessionKey, Timestamp};
use session_http::{Priority, SameSite};
use session_store_encrypted::{BlindingKey, EncryptionKey};

/// What is accepted has the form that is promised, and comes out as it went in.
pub fn ids(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(id) = SessionId::parse(text) {
        assert_eq!(id.expose(), text);
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(SessionId::foreign(text), Ok(id));
    }
    if let Ok(id) = SessionId::foreign(text) {
        assert_eq!(id.expose(), text);
        assert!((1..=SessionId::LONGEST_FOREIGN).contains(&text.len()));
        let key = SessionKey::derive("session", &id);
        assert!(key.as_str().len() == 64 && SessionKey::parse(key.as_str()).is_ok());
        assert!(!format!("{id:?}").contains(text) || "SessionId(redacted)".contains(text));
    }
    if let Ok(key) = SessionKey::parse(text) {
        assert_eq!((key.as_str(), key.to_string().as_str()), (text, text));
        assert!((1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
    }
    if let Ok(owner) = OwnerId::parse(text) {
        assert_eq!(owner.as_str(), text);
        assert!((1..=255).contains(&text.len()) && !text.contains(['\n', '\0', '\u{7f}', '\u{85}']));
    }
    if let Ok(key) = EncryptionKey::new(text, &[7; 32]) {
        assert_eq!(key.id(), text);
        // It stands in the stored form without escapes.
        assert_eq!(serde_json::to_string(text).ok(), Some(format!("\"{text}\"")));
    }
    if EncryptionKey::from_hex("k", text).is_ok() || BlindingKey::from_hex(text).is_ok() {
        assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    if let Some(Ok(time)) = text.parse().ok().map(Timestamp::from_unix_millis) {
        assert!(time >= Timestamp::MIN && time <= Timestamp::MAX && !time.to_string().is_empty());
    }
    let _ = (text.parse::<SameSite>(), text.parse::<Priority>());
}
