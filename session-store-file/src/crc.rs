//! CRC-32 as in gzip and PNG, eight bytes at a time: it detects damage, not malice.

const TABLES: [[u32; 256]; 8] = tables();

/// Returns the CRC-32 of the parts, as if they were one text.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| update(crc, part))
}

fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let low = crc ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        let [a, b, c, d] = low.to_le_bytes();
        crc = at(7, a) ^ at(6, b) ^ at(5, c) ^ at(4, d) ^ at(3, word[4]) ^ at(2, word[5]) ^ at(1, word[6]);
        crc ^= at(0, word[7]);
    }
    for byte in tail {
        crc = (crc >> 8) ^ at(0, crc.to_le_bytes()[0] ^ byte);
    }
    crc
}

fn at(table: usize, byte: u8) -> u32 {
    TABLES[table][usize::from(byte)]
}

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = (crc >> 8) ^ tables[0][(crc & 255) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
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
