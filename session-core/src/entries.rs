//! The entries of a text that is known to be one JSON object.
//!
//! Whether a text is one is decided once, by the parser; this only looks where its parts begin and end. It is what a look at one
//! value costs, so it does no more than that: it follows quotes and brackets, and leaves everything between them alone.

/// Walks over the top level: the text of each name, with its quotes, and the text of its value.
///
/// Of a text that is no JSON object it gives anything or nothing, and ends.
pub(crate) struct Entries<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Entries<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        // The bracket itself is gone over like the comma before the other entries.
        Self { text, at: 0 }
    }

    fn entry(&mut self) -> Option<(&'a str, &'a str)> {
        let bytes = self.text.as_bytes();
        let before = after_space(bytes, self.at)?;
        if !matches!(bytes[before], b'{' | b',') {
            return None;
        }
        let name = after_space(bytes, before + 1)?;
        if bytes[name] != b'"' {
            return None;
        }
        let name_end = after_string(bytes, name + 1)?;
        let colon = after_space(bytes, name_end)?;
        let value = after_space(bytes, colon + 1)?;
        let value_end = after_value(bytes, value)?;
        self.at = value_end;
        Some((self.text.get(name..name_end)?, self.text.get(value..value_end)?))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry();
        if entry.is_none() {
            self.at = self.text.len();
        }
        entry
    }
}

fn after_space(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    Some(from + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?)
}

/// Returns where a value ends that begins at `from`.
fn after_value(bytes: &[u8], from: usize) -> Option<usize> {
    match bytes.get(from)? {
        b'"' => after_string(bytes, from + 1),
        b'{' | b'[' => after_nested(bytes, from + 1),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            Some(from + bytes[from..].iter().position(ends)?)
        }
    }
}

/// Returns where a string ends whose first character is at `at`, behind its quote.
fn after_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            // What follows a backslash never ends the string.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Returns where an object or array ends whose bracket is just before `at`, however deep it goes.
///
/// It goes on block by block and counts the brackets of each, without a branch for each byte, as simdjson does
/// ([Langdale and Lemire, 2019](https://arxiv.org/abs/1902.08318)). Where there are backslashes, and in the last few bytes,
/// it looks at one byte after the other.
fn after_nested(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 1;
    // All bits if what is at `at` is within a string.
    let mut in_string = 0;
    loop {
        let rest = bytes.get(at..)?;
        if let Some(block) = rest.first_chunk().filter(|block| !has_backslash(block)) {
            // Set from each opening quote up to its closing one.
            let strings = parities(places(block, b'"', 0)) ^ in_string;
            let opening = places(block, b'{', CURLY) & !strings;
            let closing = places(block, b'}', CURLY) & !strings;
            if closing.count_ones() >= depth
                && let Some(end) = end_within(opening, closing, depth)
            {
                return Some(at + end);
            }
            depth = depth + opening.count_ones() - closing.count_ones();
            // Copies the highest bit to all others.
            in_string = (strings.cast_signed() >> 63).cast_unsigned();
            at += BLOCK;
            continue;
        }
        let stop = at + BLOCK;
        if in_string != 0 {
            at = after_string(bytes, at)?;
            in_string = 0;
        }
        while at < stop {
            match bytes.get(at)? {
                b'"' => at = after_string(bytes, at + 1)?,
                b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
                b'}' | b']' => {
                    (at, depth) = (at + 1, depth - 1);
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => at += 1,
            }
        }
    }
}

/// Returns where in a block the last of so many brackets is closed, if it is: behind its closing one.
fn end_within(opening: u64, closing: u64, mut depth: u32) -> Option<usize> {
    let mut brackets = opening | closing;
    while brackets != 0 {
        let place = brackets.trailing_zeros();
        brackets &= brackets - 1;
        if (opening >> place) & 1 == 1 {
            depth += 1;
        } else {
            depth -= 1;
            if depth == 0 {
                // At most 64.
                return Some(place as usize + 1);
            }
        }
    }
    None
}

/// As many bytes as a number has bits.
const BLOCK: usize = 64;

/// The one bit in which `[` and `]` differ from `{` and `}`.
const CURLY: u8 = 0x20;

fn has_backslash(block: &[u8; BLOCK]) -> bool {
    // Without an early end, so that the compiler compares many bytes at once.
    block.iter().fold(false, |found, &byte| found | (byte == b'\\'))
}

/// Says where in a block a byte is, each byte taken together with some bits: bit `n` is about byte `n`.
fn places(block: &[u8; BLOCK], wanted: u8, with: u8) -> u64 {
    // For the same reason in two steps: each byte gets the bit of its place among eight...
    let mut bits = [0; BLOCK];
    for (n, (bit, byte)) in bits.iter_mut().zip(block).enumerate() {
        *bit = if byte | with == wanted { 1_u8 << (n % 8) } else { 0 };
    }
    // ...and multiplying adds up the eight, which never carry, in the highest byte.
    let eights = bits.as_chunks().0.iter();
    eights
        .rev()
        .fold(0, |places, eight| (places << 8) | (u64::from_le_bytes(*eight).wrapping_mul(u64::MAX / 0xff) >> 56))
}

/// Sets each bit that has an odd number of set bits at and below its place.
fn parities(mut bits: u64) -> u64 {
    for width in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << width;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(&str, &str)> {
        Entries::of(text).collect()
    }

    #[test]
    fn entries_are_as_they_were_written() {
        let text = "\n{ \"a\" :\t[1, {\"b\": \"]}\\\"\"}, []] ,\"\\\\\":-1.5e+7,\"\":\"x\\\\\" , \"n\": null }";
        let values = [("\"a\"", "[1, {\"b\": \"]}\\\"\"}, []]"), ("\"\\\\\"", "-1.5e+7"), ("\"\"", "\"x\\\\\"")];
        assert_eq!(entries(text), [&values[..], &[("\"n\"", "null")]].concat());
        assert_eq!(entries(" { } "), []);
        assert_eq!(entries(r#"{"é":"🦀\ud800"}"#), [("\"é\"", r#""🦀\ud800""#)]);
    }

    #[test]
    fn text_that_is_no_object_ends_somewhere() {
        for text in
            ["", "{", "[1]", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":[", "{\"a\":1", "{\"a\":\"\\", "1", "{é}"]
        {
            assert_eq!(entries(text), [], "{text}");
        }
    }

    /// Writes random JSON with everything that could be taken for something else.
    struct Writer {
        state: u64,
        escapes: bool,
    }

    impl Writer {
        fn below(&mut self, most: u64) -> u64 {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.state >> 33) % most
        }

        fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
            choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
        }

        fn space(&mut self) -> &'static str {
            self.one_of(&["", "", " ", "\n\t", "\r "])
        }

        fn string(&mut self) -> String {
            let parts = [
                "a",
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                " ",
                "\\\"",
                "\\\\",
                "\\u0022",
                "\\ud800",
                "é🦀",
                "aaaaaaaaaaaaaaaaaaaa",
            ];
            let text: String = (0..self.below(5)).map(|_| self.one_of(&parts)).collect();
            // Half of the texts have no backslash.
            let text = if self.escapes { text } else { text.replace(['\\', '"'], "") };
            format!("\"{text}\"")
        }

        fn value(&mut self, depth: u32) -> String {
            match self.below(if depth == 0 { 2 } else { 4 }) {
                0 => self.one_of(&["1", "-0", "1e400", "1.5E+7", "true", "false", "null"]).to_owned(),
                1 => self.string(),
                2 => self.object(depth - 1),
                _ => self.list(depth - 1, "[]", |writer, depth| writer.value(depth)),
            }
        }

        fn object(&mut self, depth: u32) -> String {
            self.list(depth, "{}", |writer, depth| {
                let (name, before, after) = (writer.string(), writer.space(), writer.space());
                format!("{name}{before}:{after}{}", writer.value(depth))
            })
        }

        fn list(&mut self, depth: u32, brackets: &str, item: fn(&mut Self, u32) -> String) -> String {
            let items: Vec<_> =
                (0..self.below(6)).map(|_| format!("{}{}{}", self.space(), item(self, depth), self.space())).collect();
            let inside = if items.is_empty() { self.space().to_owned() } else { items.join(",") };
            format!("{}{inside}{}", &brackets[..1], &brackets[1..])
        }
    }

    #[test]
    fn the_parser_finds_the_same_entries() {
        use serde_json::value::RawValue;

        struct Names<'a>(Vec<(&'a str, &'a str)>);

        impl<'de> serde::de::Visitor<'de> for Names<'de> {
            type Value = Self;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(mut self, mut map: M) -> Result<Self, M::Error> {
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    self.0.push((name.get(), value.get()));
                }
                Ok(self)
            }
        }

        let mut writer = Writer { state: 7, escapes: false };
        let mut found = 0;
        for round in 0..20_000 {
            writer.escapes = round % 2 == 0;
            let text = format!("{}{}{}", writer.space(), writer.object(4), writer.space());
            let mut parser = serde_json::Deserializer::from_str(&text);
            let parsed = serde::Deserializer::deserialize_map(&mut parser, Names(Vec::new())).expect("it is JSON").0;
            assert_eq!(entries(&text), parsed, "{text}");
            found += parsed.len();
        }
        assert!(found > 20_000, "too few entries to prove anything: {found}");
    }
}
