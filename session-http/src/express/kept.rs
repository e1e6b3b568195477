//! The cookie of one session: what of it is kept with the values, and its line in the response.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use session_core::{Data, SessionId, Timestamp};
use time::OffsetDateTime;

use crate::cookie::secret_header;
use crate::{Priority, SameSite, Secrets};

use super::signed;

/// The cookie of one session. Express keeps it in the session's data under the name `cookie`, and so does the preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// In milliseconds; `None` for a cookie that the browser forgets when it closes.
    pub(crate) original_max_age: Option<i64>,
    pub(super) partitioned: Option<bool>,
    pub(super) priority: Option<Priority>,
    pub(crate) secure: Option<bool>,
    pub(super) http_only: bool,
    pub(super) domain: Option<Arc<str>>,
    pub(super) path: Arc<str>,
    pub(super) same_site: Option<SameSite>,
}

impl Cookie {
    /// The name that the data keeps the cookie under, which no value of the application can have.
    pub(crate) const NAME: &str = "cookie";

    /// Returns when the cookie ends if it is used now.
    pub(crate) fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let millis = now.unix_millis().saturating_add(self.original_max_age?);
        let end = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Some(Timestamp::from_unix_millis(millis).unwrap_or(end))
    }

    /// Writes the `Set-Cookie` header, with the attributes in the order of cookie 0.7.
    pub(crate) fn issue(&self, name: &str, id: &SessionId, secrets: &Secrets, now: Timestamp) -> Option<HeaderValue> {
        let mut line = format!("{name}={}", signed::write(id, secrets));
        if let Some(domain) = &self.domain {
            line.push_str(&format!("; Domain={domain}"));
        }
        if !self.path.is_empty() {
            line.push_str(&format!("; Path={}", self.path));
        }
        if let Some(expires) = self.expires(now) {
            line.push_str(&format!("; Expires={}", http_date(expires)));
        }
        let flags = [
            (self.http_only, "; HttpOnly"),
            (self.secure == Some(true), "; Secure"),
            (self.partitioned == Some(true), "; Partitioned"),
        ];
        flags.iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| line.push_str(flag));
        if let Some(priority) = self.priority {
            line.push_str(&format!("; Priority={}", priority.as_str()));
        }
        if let Some(same_site) = self.same_site {
            line.push_str(&format!("; SameSite={}", same_site.as_str()));
        }
        secret_header(&line)
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
        Data::parse(text).unwrap_or_default()
    }

    fn to_json(&self, now: Timestamp) -> String {
        let mut text = String::from("{");
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                let comma = if text.len() > 1 { "," } else { "" };
                text.push_str(&format!("{comma}\"{name}\":{value}"));
            }
        };
        let priority = self.priority.map(|priority| priority.as_str().to_ascii_lowercase());
        let same_site = self.same_site.map(|same_site| same_site.as_str().to_ascii_lowercase());
        put("originalMaxAge", Some(self.original_max_age.into()));
        put("partitioned", self.partitioned.map(Value::from));
        put("priority", priority.map(Value::from));
        put("expires", Some(self.expires(now).map(iso_date).into()));
        put("secure", self.secure.map(Value::from));
        put("httpOnly", Some(self.http_only.into()));
        put("domain", self.domain.as_deref().map(Value::from));
        put("path", Some((&*self.path).into()));
        put("sameSite", same_site.map(Value::from));
        text.push('}');
        text
    }

    /// Reads the cookie that a stored session has; what it does not say is as in a new cookie of Express.
    pub(crate) fn from_json(text: &RawValue) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_str(text.get()).ok()?;
        let text = |name| fields.get(name).and_then(Value::as_str);
        let flag = |name| fields.get(name).and_then(|value| value.as_bool().or(value.as_str().map(|_| true)));
        let age = fields.get("originalMaxAge").and_then(Value::as_f64);
        Some(Self {
            // Times of a browser's cookie are far below what a float holds exactly.
            #[allow(clippy::cast_possible_truncation, reason = "the conversion saturates")]
            original_max_age: age.map(|age| age as i64),
            partitioned: flag("partitioned"),
            priority: text("priority").and_then(|text| text.parse().ok()),
            secure: flag("secure"),
            http_only: flag("httpOnly").unwrap_or(true),
            domain: text("domain").map(Arc::from),
            path: text("path").unwrap_or("/").into(),
            same_site: match fields.get("sameSite") {
                Some(Value::Bool(true)) => Some(SameSite::Strict),
                Some(Value::String(text)) => text.parse().ok(),
                _ => None,
            },
        })
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
