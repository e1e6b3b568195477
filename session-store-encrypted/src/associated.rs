//! Where a record was written, which the encryption binds although it is not stored with it.

use session_core::{OwnerId, SessionKey};

/// Returns the associated data: the form, the namespace, the session's key, the encryption key's id and the owner as it
/// is stored.
///
/// Every part is preceded by its length in eight bytes, so that no two places have the same bytes. No owner is an empty
/// part, which an owner never is.
pub(crate) fn associated_data(namespace: &str, key: &SessionKey, key_id: &str, owner: Option<&OwnerId>) -> Vec<u8> {
    let owner = owner.map_or("", OwnerId::as_str);
    let mut bytes = Vec::new();
    for part in ["session-store-encrypted 1", namespace, key.as_str(), key_id, owner] {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_places_are_one() {
        let key = |text: &str| SessionKey::parse(text).expect("a key");
        let owner = OwnerId::parse("o").expect("an owner");
        let places = [
            associated_data("n", &key("k"), "i", None),
            associated_data("n", &key("k"), "i", Some(&owner)),
            associated_data("n", &key("k"), "io", None),
            associated_data("n", &key("ki"), "o", None),
            associated_data("nk", &key("i"), "o", None),
            associated_data("", &key("nk"), "i", None),
        ];
        assert_eq!(places.iter().collect::<HashSet<_>>().len(), places.len());
    }
}
