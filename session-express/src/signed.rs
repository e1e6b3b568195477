//! The value of the cookie: `s:`, the id, a dot and its signature, as the npm packages cookie-signature and cookie write and read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, header};
use session_core::SessionId;
use session_http::Secrets;
use session_http::rules::bad_signature;

/// Signs a text as cookie-signature does: the text, a dot, and its HMAC-SHA256 in base64 without padding.
pub fn sign(text: &str, secrets: &Secrets) -> String {
    let mut signed = format!("{text}.");
    STANDARD_NO_PAD.encode_string(secrets.sign(text.as_bytes()), &mut signed);
    signed
}

/// Returns the text that one of the secrets signed; `None` if none of them did. The text may be empty and may have dots.
pub fn unsign<'t>(signed: &'t str, secrets: &Secrets) -> Option<&'t str> {
    let (text, signature) = signed.rsplit_once('.')?;
    let mut mac = [0; 32];
    // Strict: another text for the same bytes, with padding for instance, is another signature.
    let length = STANDARD_NO_PAD.decode_slice(signature, &mut mac).ok()?;
    secrets.verify(text.as_bytes(), &mac[..length]).then_some(text)
}

/// Writes the cookie's value.
pub(crate) fn write(id: &SessionId, secrets: &Secrets) -> String {
    encode_uri_component(&format!("s:{}", sign(id.expose(), secrets)))
}

/// Reads the id that a request presents: the first cookie of the name counts, signed text of any form is an id. A value that nobody signed
/// here is an event.
pub(crate) fn read(headers: &HeaderMap, name: &str, secrets: &Secrets) -> Option<SessionId> {
    let value = first(headers, name).filter(|value| !value.is_empty())?;
    // Node reads a header's bytes as Latin-1.
    let value: String = value.iter().copied().map(char::from).collect();
    let value = if value.contains('%') { decode_uri_component(&value).unwrap_or(value) } else { value };
    let text = value.strip_prefix("s:").and_then(|signed| unsign(signed, secrets));
    let id = text.and_then(|text| SessionId::foreign(text).ok());
    if id.is_none() {
        bad_signature();
    }
    id
}

/// Finds the value as cookie 0.7 does: pairs end at semicolons only, spaces and tabs around a name and a value do not count, and a
/// value may stand in double quotes.
fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    let value = pairs.find_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        (trim(&pair[..equals]) == name.as_bytes()).then(|| trim(&pair[equals + 1..]))
    })?;
    Some(match value {
        b"\"" => b"",
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    })
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// JavaScript's `encodeURIComponent`.
fn encode_uri_component(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// JavaScript's `decodeURIComponent`; `None` where that throws.
fn decode_uri_component(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        decoded.push_str(&rest[..percent]);
        rest = &rest[percent..];
        let lead = escaped_byte(rest)?;
        let length = match lead {
            0x00..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return None,
        };
        let mut bytes = [0; 4];
        for byte in &mut bytes[..length] {
            *byte = escaped_byte(rest)?;
            rest = &rest[3..];
        }
        decoded.push_str(std::str::from_utf8(&bytes[..length]).ok()?);
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// Reads the `%XX` that a text begins with.
fn escaped_byte(text: &str) -> Option<u8> {
    let [b'%', high, low, ..] = text.as_bytes() else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_and_decoded_as_javascript_does() {
        for (plain, encoded) in [("a b+c", "a%20b%2Bc"), ("-_.!~*'()", "-_.!~*'()"), ("ü🦀%", "%C3%BC%F0%9F%A6%80%25")]
        {
            assert_eq!(encode_uri_component(plain), encoded);
            assert_eq!(decode_uri_component(encoded).as_deref(), Some(plain));
        }
        assert_eq!(decode_uri_component("%c3%bcé+").as_deref(), Some("üé+"));
        for bad in ["%", "%4", "%ZZ", "%C3", "%C3x", "%C3é", "%80", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%+1", "%é1"]
        {
            assert_eq!(decode_uri_component(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_cookie_of_the_name_counts() {
        let found = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().expect("the test's header is valid"));
            }
            first(&headers, "sid").map(|value| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!(found(&["sid=a; sid=b"]).as_deref(), Some("a"));
        assert_eq!(found(&["x; y=1", "sid = \t\"a\" ", "sid=b"]).as_deref(), Some("a"));
        assert_eq!(found(&["sid=\""]).as_deref(), Some(""));
        assert_eq!(found(&["sid=\"a"]).as_deref(), Some("\"a"));
        assert_eq!(found(&["SID=a; s id=b; sid2=c; sid"]), None);
        assert_eq!(found(&["a=b, sid=c"]), None);
    }
}
