//! The parts of a namespace in a cluster: which one keeps a session, and where the cluster puts it.

/// How many parts a namespace has. All keys of a part share a hash tag, so that one script may touch them in a cluster.
pub(crate) const PARTS: u16 = 32;

/// How many hash slots a cluster has.
const SLOTS: u16 = 16384;

/// How many slots lie between the parts.
const STEP: u16 = SLOTS / PARTS;

/// The hash tags of the parts: for each the smallest number whose slot lies in its stretch of slots, so that the parts
/// are spread evenly over the nodes of a cluster.
pub(crate) const TAGS: [u16; PARTS as usize] = tags();

/// Returns the part that keeps a session: the stretch of slots that its key by itself would lie in.
pub(crate) fn part_of(key: &str) -> u16 {
    slot_of(key.as_bytes()) / STEP
}

/// Returns the slot of a part, which is that of its tag.
#[cfg(feature = "cluster")]
pub(crate) fn slot_of_part(part: u16) -> u16 {
    slot_of(TAGS[usize::from(part)].to_string().as_bytes())
}

/// CRC-16/XMODEM, as the cluster specification says.
const fn slot_of(bytes: &[u8]) -> u16 {
    let mut crc: u16 = 0;
    let mut at = 0;
    while at < bytes.len() {
        crc = (crc << 8) ^ CRC[((crc >> 8) ^ bytes[at] as u16) as usize];
        at += 1;
    }
    crc % SLOTS
}

/// What each byte does to the sum.
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

const fn tags() -> [u16; PARTS as usize] {
    let mut tags = [u16::MAX; PARTS as usize];
    let (mut number, mut missing) = (0, PARTS);
    while missing > 0 {
        let part = (slot_of_number(number) / STEP) as usize;
        if tags[part] == u16::MAX {
            tags[part] = number;
            missing -= 1;
        }
        number += 1;
    }
    tags
}

/// The slot of a number below 1000 in decimal digits.
const fn slot_of_number(number: u16) -> u16 {
    let digits = [b'0' + (number / 100 % 10) as u8, b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
    match number {
        0..10 => slot_of(&[digits[2]]),
        10..100 => slot_of(&[digits[1], digits[2]]),
        _ => slot_of(&digits),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_slot_is_that_of_the_cluster_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12182);
    }

    #[test]
    fn every_part_has_a_tag_in_its_own_stretch_of_slots() {
        assert_eq!(TAGS.iter().collect::<HashSet<_>>().len(), usize::from(PARTS));
        for (part, tag) in (0..).zip(TAGS) {
            assert!(tag < 1000);
            assert_eq!(slot_of(tag.to_string().as_bytes()) / STEP, part);
        }
    }

    #[test]
    fn keys_are_spread_over_parts() {
        let mut parts = [0; PARTS as usize];
        for number in 0..32_000_u64 {
            // Hex digests, as session keys are.
            parts[usize::from(part_of(&format!("{:016x}", session_core::Revision::fresh().number() ^ number)))] += 1;
        }
        // A thousand each, give or take six times the square root of that.
        assert!(parts.iter().all(|count| (810..=1190).contains(count)), "{parts:?}");
    }
}
