//! CRC-32 as in gzip and PNG: it detects damage, not malice.

/// Returns the CRC-32 of the parts, as if they were one text.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        assert_eq!(crc32(&[b"123456789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[b"The quick brown fox jumps over the lazy dog"]), 0x414f_a339);
        assert_eq!(crc32(&[]), 0);
    }

    #[test]
    fn parts_count_as_one_text() {
        let text = [7_u8; 100];
        for cut in 0..100 {
            assert_eq!(crc32(&[&text[..cut], &text[cut..]]), crc32(&[&text]), "{cut}");
        }
    }
}
