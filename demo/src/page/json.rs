//! JSON with white space for people.

use std::mem;

/// Spreads a JSON text over lines. It only adds and drops white space between the tokens: what is stored is shown digit
/// by digit, in its own order.
pub(crate) fn pretty(text: &str) -> String {
    let mut pretty = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut characters = text.chars().filter(spaces_outside_of_strings()).peekable();
    let mut in_string = StringScan::default();
    while let Some(character) = characters.next() {
        if in_string.is_inside(character) {
            pretty.push(character);
            continue;
        }
        match character {
            '{' | '[' => {
                pretty.push(character);
                if let Some(close) = characters.next_if(|&next| matches!(next, '}' | ']')) {
                    pretty.push(close);
                } else {
                    depth += 1;
                    break_line(&mut pretty, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut pretty, depth);
                pretty.push(character);
            }
            ',' => {
                pretty.push(',');
                break_line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            _ => pretty.push(character),
        }
    }
    pretty
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    // Deeper than a screen is wide nobody sees the difference, and a hostile depth costs nothing.
    text.extend(std::iter::repeat_n("  ", depth.min(40)));
}

fn spaces_outside_of_strings() -> impl FnMut(&char) -> bool {
    let mut scan = StringScan::default();
    move |&character| scan.is_inside(character) || !character.is_ascii_whitespace()
}

/// Follows a JSON text character by character and knows where its strings are.
#[derive(Default)]
struct StringScan {
    inside: bool,
    escaped: bool,
}

impl StringScan {
    /// Says whether the next character belongs to a string, its quotes included.
    fn is_inside(&mut self, character: char) -> bool {
        if !self.inside {
            self.inside = character == '"';
            return self.inside;
        }
        let is_escaped = mem::replace(&mut self.escaped, character == '\\');
        if is_escaped {
            self.escaped = false;
        } else if character == '"' {
            self.inside = false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_line_for_each_entry() {
        let text = r#"{"cart":["tea","a, b"], "user" : {"n":1.10},"e":{},"l":[ ]}"#;
        let lines = [
            "{",
            r#"  "cart": ["#,
            r#"    "tea","#,
            r#"    "a, b""#,
            "  ],",
            r#"  "user": {"#,
            r#"    "n": 1.10"#,
            "  },",
            r#"  "e": {},"#,
            r#"  "l": []"#,
            "}",
        ];
        assert_eq!(pretty(text), lines.join("\n"));
    }

    #[test]
    fn strings_are_left_alone() {
        for text in [r#""a \" { [ : , ] } \\""#, r#""\\\"  ""#, r#""\ud800 1e400""#, "1e400", "{}"] {
            assert_eq!(pretty(text), text);
        }
        assert_eq!(pretty(r#"["\\","b"]"#), "[\n  \"\\\\\",\n  \"b\"\n]");
    }
}
