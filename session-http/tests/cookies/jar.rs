//! The cookie jar of a browser: what RFC 6265bis (draft 22, 5.6 to 5.8) says of parsing, storing and sending, and
//! Chromium of `Partitioned`.
//!
//! Written from the specification and apart from the library, so that it does not share its mistakes.

/// What a browser keeps of a cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) domain: String,
    pub(crate) is_host_only: bool,
    pub(crate) path: String,
    pub(crate) is_partitioned: bool,
    pub(crate) is_secure: bool,
    pub(crate) is_http_only: bool,
    pub(crate) same_site: String,
    /// In seconds; `None` until the browser closes.
    pub(crate) expires: Option<u64>,
}

/// A place on the web.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) is_https: bool,
    pub(crate) host: String,
    pub(crate) path: String,
}

#[derive(Debug, Default)]
pub(crate) struct Jar(pub(crate) Vec<Kept>);

const LONGEST_AGE: u64 = 400 * 24 * 60 * 60;

impl Jar {
    /// Does what a browser does with a `Set-Cookie` line; says why it is not stored. A cookie that has expired is
    /// removed.
    pub(crate) fn take(&mut self, line: &[u8], at: &Place, now: u64) -> Result<(), &'static str> {
        let kept = read(line, at, now)?;
        let is_overlaid = |old: &Kept| {
            let domains = matches_domain(&old.domain, &kept.domain) || matches_domain(&kept.domain, &old.domain);
            old.is_secure && old.name == kept.name && domains && matches_path(&kept.path, &old.path)
        };
        if !kept.is_secure && !at.is_https && self.0.iter().any(is_overlaid) {
            return Err("plain http does not overlay a secure cookie");
        }
        let place = |kept: &Kept| {
            (kept.name.clone(), kept.domain.clone(), kept.is_host_only, kept.path.clone(), kept.is_partitioned)
        };
        self.0.retain(|old| place(old) != place(&kept));
        if kept.expires.is_none_or(|expires| expires > now) {
            self.0.push(kept);
        }
        Ok(())
    }

    /// Returns the `Cookie` header of a request; `None` without cookies.
    pub(crate) fn header(&self, at: &Place, now: u64) -> Option<String> {
        let is_sent = |kept: &&Kept| {
            let host = if kept.is_host_only { kept.domain == at.host } else { matches_domain(&at.host, &kept.domain) };
            let is_live = kept.expires.is_none_or(|expires| expires > now);
            host && matches_path(&at.path, &kept.path) && (at.is_https || !kept.is_secure) && is_live
        };
        let pairs: Vec<String> =
            self.0.iter().filter(is_sent).map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn read(line: &[u8], at: &Place, now: u64) -> Result<Kept, &'static str> {
    if line.iter().any(|&byte| matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f)) {
        return Err("a control character");
    }
    let line = std::str::from_utf8(line).map_err(|_| "not text")?;
    let mut parts = line.split(';');
    let pair = parts.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (trim(name), trim(value));
    if name.is_empty() {
        return Err("no name");
    }
    if name.len() + value.len() > 4096 {
        return Err("name and value have more than 4096 bytes");
    }
    let mut kept = Kept {
        name: name.into(),
        value: value.into(),
        domain: at.host.clone(),
        is_host_only: true,
        path: default_path(&at.path).into(),
        is_partitioned: false,
        is_secure: false,
        is_http_only: false,
        same_site: "default".into(),
        expires: None,
    };
    let (mut has_path, mut max_age, mut has_epoch) = (false, None, false);
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        let (attribute, value) = (trim(attribute).to_ascii_lowercase(), trim(value));
        if value.len() > 1024 {
            continue;
        }
        match attribute.as_str() {
            "max-age" if value.strip_prefix('-').unwrap_or(value).bytes().all(|byte| byte.is_ascii_digit()) => {
                max_age = Some(value.parse::<u64>().unwrap_or(if value.starts_with('-') { 0 } else { LONGEST_AGE }));
            }
            "expires" if value == "Thu, 01 Jan 1970 00:00:00 GMT" => has_epoch = true,
            "expires" => return Err("the jar reads no other dates"),
            "domain" if value.is_empty() => {}
            "domain" => {
                kept.domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                kept.is_host_only = false;
            }
            "path" => {
                has_path = value.starts_with('/');
                kept.path = if has_path { value } else { default_path(&at.path) }.into();
            }
            "secure" => kept.is_secure = true,
            "httponly" => kept.is_http_only = true,
            "samesite" => kept.same_site = value.to_ascii_lowercase(),
            "partitioned" => kept.is_partitioned = true,
            _ => {}
        }
    }
    kept.expires = match max_age {
        Some(age) => Some(now + age.min(LONGEST_AGE)).filter(|_| age > 0).or(Some(0)),
        None => has_epoch.then_some(0),
    };

    if !matches_domain(&at.host, &kept.domain) {
        return Err("a domain that is not the host's");
    }
    if !kept.domain.contains('.') && kept.domain != at.host {
        return Err("a domain of one word is a public suffix");
    }
    if kept.is_secure && !at.is_https {
        return Err("Secure over plain http");
    }
    if kept.same_site == "none" && !kept.is_secure {
        return Err("SameSite=None without Secure");
    }
    if kept.is_partitioned && !kept.is_secure {
        return Err("Partitioned without Secure");
    }
    let lower = kept.name.to_ascii_lowercase();
    if lower.starts_with("__secure-") && !kept.is_secure {
        return Err("__Secure- without Secure");
    }
    if lower.starts_with("__http-") && !(kept.is_secure && kept.is_http_only) {
        return Err("__Http- without Secure and HttpOnly");
    }
    let is_whole_host = kept.is_secure && kept.is_host_only && has_path && kept.path == "/";
    if lower.starts_with("__host-") && !is_whole_host {
        return Err("__Host- without Secure and Path=/, or with a domain");
    }
    if lower.starts_with("__host-http-") && !kept.is_http_only {
        return Err("__Host-Http- without HttpOnly");
    }
    Ok(kept)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

fn matches_domain(host: &str, domain: &str) -> bool {
    let is_address = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    host == domain || (!is_address && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

fn matches_path(path: &str, own: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}
