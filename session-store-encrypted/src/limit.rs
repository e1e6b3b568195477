//! How large a record of a given size becomes when it is encrypted.

use session_core::OwnerId;

use crate::EncryptionKey;
use crate::seal::{C, END, K, N, NONCE_LENGTH, TAG_LENGTH};

/// What stands around the encrypted part at most: the object's own text, the longest key id, the nonce.
const FRAME: usize = K.len() + EncryptionKey::MAX_ID_LENGTH + N.len() + NONCE_LENGTH / 3 * 4 + C.len() + END.len();

/// What is encrypted beside the data at most: the owner and its length; and the tag that comes with it.
const BESIDE: usize = 1 + OwnerId::MAX_LENGTH + TAG_LENGTH;

/// Returns how many bytes of data the inner store must accept, so that `max_data_bytes` in the clear always fit.
///
/// What is stored is longer than what the application wrote: by a third, for the text form, and by less than 500 bytes.
///
/// ```
/// use session_core::StoreOptions;
/// use session_store_encrypted::inner_limit;
///
/// assert_eq!(inner_limit(StoreOptions::DEFAULT_MAX_DATA_BYTES), 1_398_561);
/// ```
pub const fn inner_limit(max_data_bytes: usize) -> usize {
    let bytes = max_data_bytes.saturating_add(BESIDE);
    // Four characters for three bytes, without padding; divided first, so that nothing overflows.
    (bytes / 3).saturating_mul(4).saturating_add((bytes % 3 * 4).div_ceil(3)).saturating_add(FRAME)
}

/// Returns the most bytes in the clear that always fit into an inner store that accepts `inner` bytes.
pub(crate) const fn outer_limit(inner: usize) -> usize {
    let text = inner.saturating_sub(FRAME);
    (text / 4 * 3 + text % 4 * 3 / 4).saturating_sub(BESIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_limits_belong_together() {
        for clear in (2..5000).chain([1 << 20, (1 << 20) + 1]) {
            assert_eq!(outer_limit(inner_limit(clear)), clear, "{clear}");
            assert!(outer_limit(inner_limit(clear) - 1) < clear, "{clear}");
        }
        assert_eq!(outer_limit(100), 0);
        assert_eq!(inner_limit(usize::MAX), usize::MAX);
    }
}
