//! The cookie of one session: what of it is kept with the values, and its line in the response.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use session_core::{Data, SessionId, Timestamp};
use session_http::Secrets;
use session_http::rules::invalid_cookie;
use time::OffsetDateTime;

use crate::attributes::{is_domain, is_path, priority, same_site, text};
use crate::cookie::Age;
use crate::{ExpressCookie, signed};

/// The names of what is kept, in the order of Express.
const NAMES: [&str; 9] =
    ["originalMaxAge", "partitioned", "priority", "expires", "secure", "httpOnly", "domain", "path", "sameSite"];

impl ExpressCookie {
    /// The name that the data keeps the cookie under, which no value of the application can have.
    pub(crate) const NAME: &str = "cookie";

    /// Writes the `Set-Cookie` header; none if an attribute is not one, as Express does then.
    pub(crate) fn issue(&self, name: &str, id: &SessionId, secrets: &Secrets, now: Timestamp) -> Option<HeaderValue> {
        let line = self.line(format!("{name}={}", signed::write(id, secrets)), now);
        if line.is_none() {
            invalid_cookie();
        }
        let mut line = HeaderValue::from_str(&line?).ok()?;
        // Keeps the value out of `Debug` and out of the tables of HTTP/2's header compression.
        line.set_sensitive(true);
        Some(line)
    }

    /// Writes the attributes in the order of cookie 0.7.
    fn line(&self, mut line: String, now: Timestamp) -> Option<String> {
        if let Some(domain) = self.attribute("domain") {
            let domain = text(domain).filter(|domain| is_domain(domain))?;
            line.push_str(&format!("; Domain={domain}"));
        }
        if let Some(path) = self.attribute("path") {
            let path = text(path).filter(|path| is_path(path))?;
            line.push_str(&format!("; Path={path}"));
        }
        if let Some(expires) = self.ends_at(now) {
            line.push_str(&format!("; Expires={}", http_date(expires)));
        }
        for (name, flag) in [("httpOnly", "HttpOnly"), ("secure", "Secure"), ("partitioned", "Partitioned")] {
            if self.attribute(name).is_some() {
                line.push_str(&format!("; {flag}"));
            }
        }
        if let Some(value) = self.attribute("priority") {
            line.push_str(&format!("; Priority={}", priority(value)?.as_str()));
        }
        if let Some(value) = self.attribute("sameSite") {
            line.push_str(&format!("; SameSite={}", same_site(value)?.as_str()));
        }
        Some(line)
    }

    /// Writes the data that is stored: the cookie, then the application's values.
    pub(crate) fn with_values(&self, values: &Data, now: Timestamp) -> Data {
        let mut text = format!(r#"{{"{}":{}"#, Self::NAME, self.to_json(now));
        let inner = values.as_str().trim();
        let inner = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        if !inner.trim().is_empty() {
            text.push(',');
            text.push_str(inner);
        }
        text.push('}');
        // An object with a member more is an object.
        Data::trust(text)
    }

    fn to_json(&self, now: Timestamp) -> String {
        let members = NAMES.iter().filter_map(|&name| {
            let value = match (name, self.age) {
                ("originalMaxAge" | "expires", Age::Undefined) => return None,
                ("originalMaxAge" | "expires", Age::Null) => Value::Null,
                ("originalMaxAge" | "expires", Age::False) => Value::from(false),
                ("originalMaxAge", Age::For(age)) => Value::from(age),
                ("expires", _) => Value::from(self.ends_at(now).map(iso_date)),
                _ => self.attributes.get(name)?.clone(),
            };
            Some(format!("\"{name}\":{value}"))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    /// Reads the cookie that a stored session has; what it does not say is as in a new cookie of Express.
    pub(crate) fn from_json(text: &RawValue) -> Option<Self> {
        let mut said: Map<String, Value> = serde_json::from_str(text.get()).ok()?;
        let age = match said.remove("originalMaxAge") {
            None => Age::Undefined,
            Some(Value::Bool(false)) => Age::False,
            Some(age) => age.as_f64().map_or(Age::Null, |age| {
                #[allow(clippy::cast_possible_truncation, reason = "the conversion saturates")]
                Age::For(age.floor() as i64)
            }),
        };
        // It follows from the age.
        said.remove("expires");
        let mut attributes = Self::default().attributes;
        let known = said.into_iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
        Arc::make_mut(&mut attributes).extend(known);
        Some(Self { age, attributes })
    }
}

/// As in `Fri, 02 Jan 2026 03:04:05 GMT`; milliseconds are dropped.
fn http_date(moment: Timestamp) -> String {
    let date = OffsetDateTime::from(moment);
    let (weekday, month) = (date.weekday().to_string(), date.month().to_string());
    let (hour, minute, second) = date.to_hms();
    let (day, year) = (date.day(), date.year());
    format!("{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", &weekday[..3], &month[..3])
}

/// As in `2026-01-02T03:04:05.678Z`, always with milliseconds.
fn iso_date(moment: Timestamp) -> String {
    let date = OffsetDateTime::from(moment);
    let (hour, minute, second, milli) = date.to_hms_milli();
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
