//! Whether two texts are the same to JavaScript, which reads a session and writes it again to see if it has changed.

use std::collections::HashMap;

use session_core::Data;

/// Deeper values are compared as they are written.
const DEEPEST: u32 = 100;

/// Says whether `JSON.stringify` writes two objects alike: spaces, escapes, and how a number is written do not count, and names that
/// are whole numbers come first. The order of the other names counts.
///
/// Whole numbers above 2^53, which JavaScript cannot tell apart, are the same only if they have the same digits.
pub(crate) fn is_same(one: &Data, other: &Data) -> bool {
    one == other || matches!((normal(one), normal(other)), (Some(one), Some(other)) if one == other)
}

fn normal(data: &Data) -> Option<String> {
    let mut text = String::with_capacity(data.as_str().len());
    let mut reader = Reader { rest: data.as_str(), depth: 0 };
    reader.value(&mut text)?;
    Some(text)
}

/// Reads JSON, which was checked when it became `Data`.
struct Reader<'t> {
    rest: &'t str,
    depth: u32,
}

impl<'t> Reader<'t> {
    fn value(&mut self, out: &mut String) -> Option<()> {
        match self.peek()? {
            '{' => self.object(out),
            '[' => self.array(out),
            '"' => self.string(out),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(self.rest.len());
                let word = self.take(end);
                match word {
                    "true" | "false" | "null" => out.push_str(word),
                    number => push_number(out, number)?,
                }
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut String) -> Option<()> {
        let mut members: Vec<(String, String)> = Vec::new();
        let mut places = HashMap::new();
        self.list('}', |reader| {
            let (mut name, mut value) = (String::new(), String::new());
            reader.peek()?;
            reader.string(&mut name)?;
            reader.skip(':')?;
            reader.value(&mut value)?;
            // Of a name that is there twice, the first place and the last value count.
            let place = *places.entry(name.clone()).or_insert(members.len());
            match members.get_mut(place) {
                Some((_, known)) => *known = value,
                None => members.push((name, value)),
            }
            Some(())
        })?;
        members.sort_by_cached_key(|(name, _)| index(name).unwrap_or(u64::MAX));
        out.push('{');
        for (name, value) in members {
            out.push_str(&format!("{name}:{value},"));
        }
        out.push('}');
        Some(())
    }

    fn array(&mut self, out: &mut String) -> Option<()> {
        out.push('[');
        self.list(']', |reader| {
            reader.value(out)?;
            out.push(',');
            Some(())
        })?;
        out.push(']');
        Some(())
    }

    /// Reads what stands between brackets.
    fn list(&mut self, end: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.take(1);
        while self.peek()? != end {
            item(self)?;
            if self.peek()? == ',' {
                self.take(1);
            }
        }
        self.take(1);
        self.depth -= 1;
        Some(())
    }

    /// Copies a string with as few escapes as possible.
    fn string(&mut self, out: &mut String) -> Option<()> {
        self.take(1);
        out.push('"');
        // The first half of a character that is escaped in two.
        let mut high = None;
        loop {
            let next = self.rest.chars().next()?;
            let unit = if next == '\\' {
                let escape = self.take(2).chars().nth(1)?;
                match escape {
                    'u' => u32::from_str_radix(self.take(4), 16).ok()?,
                    'b' => 8,
                    'f' => 12,
                    'n' => 10,
                    'r' => 13,
                    't' => 9,
                    other => u32::from(other),
                }
            } else {
                self.take(next.len_utf8());
                if next == '"' {
                    push_unit(out, high);
                    out.push('"');
                    return Some(());
                }
                u32::from(next)
            };
            match (high, unit) {
                (Some(first), 0xdc00..=0xdfff) => {
                    out.push(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00))?);
                    high = None;
                }
                (first, 0xd800..=0xdbff) => {
                    push_unit(out, first);
                    high = Some(unit);
                }
                (first, unit) => {
                    push_unit(out, first);
                    push_unit(out, Some(unit));
                    high = None;
                }
            }
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.chars().next()
    }

    fn skip(&mut self, expected: char) -> Option<()> {
        let is_there = self.peek()? == expected;
        self.take(1);
        is_there.then_some(())
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

fn push_unit(out: &mut String, unit: Option<u32>) {
    match unit.map(|unit| (unit, char::from_u32(unit))) {
        None => {}
        Some((_, Some(quoted @ ('"' | '\\')))) => out.extend(['\\', quoted]),
        Some((_, Some(character))) => out.push(character),
        Some((lone, None)) => out.push_str(&format!("\\u{lone:04x}")),
    }
}

fn push_number(out: &mut String, text: &str) -> Option<()> {
    /// Beyond it, not every whole number is a number of JavaScript.
    const SAFE: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    let is_whole = !text.contains(['.', 'e', 'E']);
    if number.is_infinite() || (is_whole && number.abs() >= SAFE) {
        out.push_str(text);
    } else {
        // There is one zero.
        out.push_str(&format!("{:e}", if number == 0.0 { 0.0 } else { number }));
    }
    Some(())
}

/// Returns the number that a name in its quotes is, if JavaScript puts it among the indices of an object.
fn index(name: &str) -> Option<u64> {
    let digits = name.trim_matches('"');
    let index = digits.parse().ok().filter(|&index: &u64| index < u64::from(u32::MAX))?;
    (index.to_string() == digits).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let data = |text: &str| Data::parse(text).expect("the test's text is an object");
        is_same(&data(one), &data(other))
    }

    #[test]
    fn what_javascript_writes_alike_is_the_same() {
        for (one, other) in [
            (r#"{"a":1,"b":[1,{"c":null}]}"#, " { \"a\" : 1.0 ,\n\"b\":[ 1e0 , {\"c\":null} ] } "),
            (r#"{"a":1e21,"b":-0,"c":0.1}"#, r#"{"a":1000000000000000000000.0,"b":0.0,"c":0.1000000000000000055}"#),
            (r#"{"a":"é🦀\\\"\n\/"}"#, r#"{"\u0061":"\u00e9\ud83e\udd80\u005c\u0022\u000a/"}"#),
            (r#"{"a":"\ud800x\uDFFF"}"#, r#"{"a":"\uD800x\udfff"}"#),
            (r#"{"b":1,"10":2,"2":3,"a":4}"#, r#"{"2":3,"b":1,"10":2,"a":4}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"a":9007199254740993}"#, r#"{ "a":9007199254740993}"#),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_javascript_or_rust_tells_apart_is_not_the_same() {
        for (one, other) in [
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            (r#"{"01":1,"b":2}"#, r#"{"b":2,"01":1}"#),
            (r#"{"4294967295":1,"b":2}"#, r#"{"b":2,"4294967295":1}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[12]}"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#),
            (r#"{"a":"\ud800"}"#, r#"{"a":"\\ud800"}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992}"#),
            (r#"{"a":null}"#, r#"{"a":1e400}"#),
            (r#"{"a":"x\"y"}"#, r#"{"a":"xy"}"#),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        let deep = |inner: &str| format!("{{\"a\":{}{inner}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        assert!(same(&deep("1"), &deep("1")) && !same(&deep("1"), &deep(" 1")));
    }
}
