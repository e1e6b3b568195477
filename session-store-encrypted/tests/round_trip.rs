//! Whatever the application writes comes back byte for byte: objects made at random.

use session_core::{BoxError, Clock, Data, OwnerId, Record, SessionKey, SessionStore, SystemClock};
use session_store_encrypted::{BlindingKey, EncryptedStore, EncryptionKey, EncryptionKeys};
use session_store_memory::MemoryStore;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "\n", "\t ", "\r\n"][self.below(7)]
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] =
            ["a", "Z9", "é", "🦀", " ", "\\n", "\\u0000", "\\ud800", "\\\"", "{", "\u{2028}", r#"\",\"sealed\":2"#];
        (0..self.below(9)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> String {
        const PLAIN: [&str; 9] =
            ["null", "true", "0", "-0.0", "1e400", "18446744073709551616", "0.10", "-9223372036854775808", "5e-324"];
        match self.below(if depth == 0 { 2 } else { 4 }) {
            0 => PLAIN[self.below(PLAIN.len())].into(),
            1 => format!("\"{}\"", self.text()),
            2 => {
                let values: Vec<String> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}{}]", self.space(), values.join(","))
            }
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let entries: Vec<String> = (0..self.below(6))
            .map(|_| {
                let (name, before, after, value) = (self.text(), self.space(), self.space(), self.value(depth));
                format!("{before}\"{name}\"{after}:{value}")
            })
            .collect();
        format!("{}{{{}{}}}{}", self.space(), entries.join(","), self.space(), self.space())
    }
}

#[tokio::test]
async fn every_object_comes_back_byte_for_byte() -> Result<(), BoxError> {
    const OWNERS: [Option<&str>; 5] = [None, Some("ada"), Some("名前"), Some(" "), Some("a\u{301}{\"\\")];
    let keys = EncryptionKeys::new([EncryptionKey::new("test", &[7; 32])?])?;
    let clear = EncryptedStore::new(MemoryStore::new(), "shop", keys.clone());
    let blinded = EncryptedStore::new(MemoryStore::new(), "", keys).with_blinded_owners(BlindingKey::new(&[9; 32])?);
    let mut numbers = Numbers(1);
    for round in 0..2000 {
        let now = SystemClock.now();
        let data = Data::parse(numbers.object(4))?;
        let mut record = Record::new(data, now, now.saturating_add(std::time::Duration::from_secs(3600)));
        record.owner = OWNERS[numbers.below(OWNERS.len())].map(OwnerId::parse).transpose()?;
        for store in [&clear, &blinded] {
            let key = SessionKey::parse(&format!("k{round}"))?;
            let revision = store.create(&key, &record).await?;
            let loaded = store.load(&key).await?;
            assert_eq!(loaded.as_ref().map(|(seen, _)| seen.data.as_str()), Some(record.data.as_str()));
            assert_eq!(loaded, Some((record.clone(), revision)));
        }
    }
    Ok(())
}
