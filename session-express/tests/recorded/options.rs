//! Reads what the recordings of Express say, and translates its options.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use serde_json::{Map, Value};
use session_core::Timestamp;
use session_express::{
    Express, ExpressCookie, InvalidCookie, Priority, Proxy, SameSite, SameSitePolicy, SecurePolicy, Unset,
};

/// When all requests are made, in milliseconds.
pub(crate) const NOW: i64 = 1_767_323_045_678;
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("the recording has a text here")
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).expect("the case's times are in range")
}

/// Reads a date as in `2026-01-02T03:04:05.678Z`, with or without a fraction; in milliseconds.
pub(crate) fn millis_of(iso: &str) -> Option<i64> {
    let (date, clock) = iso.strip_suffix('Z').or(iso.strip_suffix("+00:00"))?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers = |text: &str, by| text.split(by).map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>();
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let [hour, minute, second] = numbers(clock, ':')?[..] else { return None };
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let days =
        date.to_julian_day() - time::Date::from_calendar_date(1970, time::Month::January, 1).ok()?.to_julian_day();
    Some((((i64::from(days) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + fraction.parse::<i64>().ok()?)
}

/// Translates the options; refuses what Express throws at in every response.
pub(crate) fn express(options: &Value) -> Result<Express, InvalidCookie> {
    let secrets: Vec<&str> = match &options["secret"] {
        Value::Null => vec!["keyboard cat"],
        Value::Array(secrets) => secrets.iter().map(text).collect(),
        secret => vec![text(secret)],
    };
    let cookie = with_attributes(ExpressCookie::new(), options["cookie"].as_object())?;
    let mut express = Express::new(secrets).expect("no secret is empty");
    express = if options["cookie_is_function"] == true {
        express.with_cookie_of(move |_| cookie.clone())
    } else {
        express.with_cookie(cookie)
    };
    if let Some(name) = options["name"].as_str().filter(|name| !name.is_empty()) {
        express = express.with_name(name);
    }
    match options["proxy"] {
        Value::Bool(true) => express = express.with_proxy(Proxy::Trusted),
        Value::Bool(false) => express = express.with_proxy(Proxy::Refused),
        _ => {}
    }
    if options["resave"] == false {
        express = express.without_resave();
    }
    if options["saveUninitialized"] == false {
        express = express.without_save_uninitialized();
    }
    if options["rolling"] == true {
        express = express.with_rolling();
    }
    if options["unset"] == "destroy" {
        express = express.with_unset(Unset::Destroy);
    }
    Ok(express)
}

/// Sets attributes in their order, as options or as a handler does.
pub(crate) fn with_attributes(
    mut cookie: ExpressCookie,
    attributes: Option<&Map<String, Value>>,
) -> Result<ExpressCookie, InvalidCookie> {
    for (name, value) in attributes.into_iter().flatten() {
        let date = value["$date"].as_i64().or_else(|| value.as_str().and_then(millis_of));
        let word = value.as_str().unwrap_or_default();
        let is_undefined = word == "<undefined>" || !value["$undefined"].is_null();
        let is_set = *value != false && !value.is_null() && !is_undefined;
        cookie = match name.as_str() {
            "maxAge" | "expires" if date.is_some() => cookie.with_expires(at(date.unwrap_or_default())),
            "maxAge" | "expires" if !is_set => cookie.without_max_age(),
            "maxAge" => {
                let millis = value.as_f64().expect("an age is a number").floor();
                if millis < 0.0 {
                    cookie.with_expires(at(NOW).saturating_sub(Duration::from_secs_f64(-millis / 1000.0)))
                } else {
                    cookie.with_max_age(Duration::from_secs_f64(millis / 1000.0))
                }
            }
            "domain" => cookie.with_domain(word),
            "path" => cookie.with_path(word),
            "httpOnly" if *value == true => cookie,
            "httpOnly" => cookie.without_http_only(),
            "secure" if *value == true => cookie.with_secure(SecurePolicy::Always),
            "secure" if word == "auto" => cookie.with_secure(SecurePolicy::Auto),
            "secure" => cookie.with_secure(SecurePolicy::Never),
            "sameSite" if *value == true => cookie.with_same_site(SameSitePolicy::Is(SameSite::Strict)),
            "sameSite" if word == "auto" => cookie.with_same_site(SameSitePolicy::Auto),
            "sameSite" if word.is_empty() => cookie.with_same_site(SameSitePolicy::Absent),
            "sameSite" => cookie.with_same_site(SameSitePolicy::Is(word.parse()?)),
            "partitioned" if is_set => cookie.with_partitioning(),
            "priority" if !word.is_empty() => cookie.with_priority(word.parse::<Priority>()?),
            "partitioned" | "priority" | "foo" | "data" => cookie,
            other => panic!("the test does not know the attribute {other}"),
        };
    }
    Ok(cookie)
}

/// Writes a cookie as one that begins here: what says nothing is left out, and words are written one way.
pub(crate) fn as_said(mut cookie: Value) -> Value {
    if let Some(members) = cookie.as_object_mut() {
        for name in ["originalMaxAge", "expires"] {
            if members.get(name).is_none_or(|value| *value == false) {
                members.insert(name.into(), Value::Null);
            }
        }
        members.retain(|name, value| match name.as_str() {
            "partitioned" => *value != false,
            "priority" => !value.is_null() && *value != "" && *value != false,
            _ => true,
        });
        members.entry("httpOnly").or_insert(Value::Null);
        for (name, value) in members {
            match (name.as_str(), &*value) {
                ("sameSite", Value::Bool(true)) => *value = "strict".into(),
                ("sameSite", Value::String(word)) if word.is_empty() => *value = false.into(),
                ("sameSite" | "priority", Value::String(word)) => *value = word.to_ascii_lowercase().into(),
                ("path" | "domain", Value::Null) => *value = "".into(),
                ("httpOnly" | "sameSite", Value::Null) => *value = false.into(),
                _ => {}
            }
        }
    }
    cookie
}

/// Splits data into the cookie and the values, each as JavaScript reads it.
pub(crate) fn parts(data: &str) -> (Value, Value) {
    // Half a character, which Rust cannot read, is compared as another text.
    let readable = || serde_json::from_str(&data.replace("\\ud", "\\\\ud"));
    let mut data: Value = serde_json::from_str(data).or_else(|_| readable()).expect("it is JSON");
    let cookie = data.as_object_mut().and_then(|members| members.remove("cookie")).unwrap_or_default();
    (as_javascript(cookie), as_javascript(data))
}

pub(crate) fn as_javascript(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| Value::from(number + 0.0)),
        Value::Array(list) => list.into_iter().map(as_javascript).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, as_javascript(value))).collect())
        }
        other => other,
    }
}

pub(crate) fn end_of(data: &str) -> Option<i64> {
    millis_of(parts(data).0["expires"].as_str()?)
}
