//! Finding our cookie in what a client sent, before any other work is done.

use http::{HeaderMap, header};

use crate::Presented;

/// Looks through all `Cookie` headers without allocating. Names are case-sensitive; a value may stand in double quotes.
///
/// Two cookies of the name are none: a sub-domain or a path may have planted one of them (S9).
pub(crate) fn find<'h>(headers: &'h HeaderMap, name: &str) -> Presented<'h> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    let values = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        (key == name.as_bytes()).then(|| unquoted(value))
    });
    values.collect()
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().expect("the test's header is valid"));
        }
        match find(&headers, "sid") {
            Presented::Nothing => "-".into(),
            Presented::Once(value) => String::from_utf8_lossy(value).into_owned(),
            Presented::Several => "several".into(),
        }
    }

    #[test]
    fn one_cookie_is_found_wherever_it_stands() {
        for lines in [
            &["sid=v"][..],
            &["a=1; sid=v; b=2"],
            &["a=1;sid=v"],
            &["  sid = v  ;"],
            &["sid=\"v\""],
            &["a=1", "sid=v"],
            &[";;=;sid=v;noequals; Sid=w; sid2=x; asid=y"],
        ] {
            assert_eq!(found(lines), "v", "{lines:?}");
        }
        assert_eq!(found(&["sid=a=b=="]), "a=b==");
        assert_eq!(found(&["sid="]), "");
        assert_eq!(found(&["sid=\""]), "\"");
        assert_eq!(found(&["SID=v; si=d; sid"]), "-");
        assert_eq!(found(&[]), "-");
    }

    #[test]
    fn two_cookies_of_the_name_are_several_wherever_they_stand() {
        for lines in [&["sid=v; sid=w"][..], &["sid=v", "sid=w"], &["sid=v; sid=v"], &["sid=; a=1", "b=2;sid=v"]] {
            assert_eq!(found(lines), "several", "{lines:?}");
        }
    }
}
