//! CRC-32 as in gzip and PNG, sixteen bytes at a time: it detects damage, not malice.

const WIDTH: usize = 16;
static TABLES: [[u32; 256]; WIDTH] = tables();

/// Returns the CRC-32 of the parts, as if they were one text.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| update(crc, part))
}

fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (blocks, tail) = bytes.as_chunks::<WIDTH>();
    for block in blocks {
        let first = crc.to_le_bytes();
        crc = 0;
        for (position, byte) in block.iter().enumerate() {
            let byte = if position < 4 { byte ^ first[position] } else { *byte };
            crc ^= TABLES[WIDTH - 1 - position][usize::from(byte)];
        }
    }
    for byte in tail {
        crc = (crc >> 8) ^ TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)];
    }
    crc
}

const fn tables() -> [[u32; 256]; WIDTH] {
    let mut tables = [[0; 256]; WIDTH];
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
    while table < WIDTH {
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
