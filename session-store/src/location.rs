//! What a URL says: a scheme, what the store's driver shall see of it, and our own parameters.

use percent_encoding::percent_decode_str;
use std::time::Duration;

use crate::OpenError;

/// The parameters that the facade takes out of the query, for the schemes that know them.
pub(crate) const NAMESPACE: &str = "namespace";
pub(crate) const SCHEMA: &str = "schema";
pub(crate) const SETUP: &str = "setup";
pub(crate) const CONNECT: &str = "connect";
pub(crate) const TIMEOUT: &str = "timeout_ms";
pub(crate) const POOL: &str = "pool";
pub(crate) const POOLER: &str = "pooler";
pub(crate) const REPLICAS: &str = "replicas";
pub(crate) const DURABILITY: &str = "durability";
pub(crate) const MAX_DATA: &str = "max_data_bytes";
/// What PostgreSQL's own library knows, and no driver here.
pub(crate) const CHANNEL_BINDING: &str = "channel_binding";
pub(crate) const CONNECT_TIMEOUT: &str = "connect_timeout";
pub(crate) const SESSION_ATTRIBUTES: &str = "target_session_attrs";

/// What becomes of the parameters that are not ours.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Driver {
    /// The store's driver knows these, and the others are refused here.
    Knows(&'static [&'static str]),
    /// The driver refuses by itself what it does not know.
    Refuses,
}

/// What is done about tables, collections and indexes when a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Missing ones are made.
    On,
    /// They are compared with what is needed, and nothing is made.
    Verify,
    /// Nothing.
    Off,
}

/// A URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// In lower case.
    scheme: String,
    /// Everything between the scheme's colon and the query, as it was written.
    rest: String,
    /// Our parameters of the query in their order, decoded.
    parameters: Vec<(String, String)>,
    /// The parameters of the query that are the driver's, as they were written.
    foreign: Vec<String>,
}

impl Location {
    /// Takes a URL apart; `ours` are the parameters that do not go to the driver.
    pub(crate) fn parse(url: &str, ours: &[&str], driver: Driver) -> Result<Self, OpenError> {
        let (scheme, rest) = split_scheme(url)?;
        if rest.contains('#') {
            return Err(OpenError::Fragment);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password with a `?` or `/` of its own ends the part where passwords are; what follows must not be taken for a name.
        let after = rest.strip_prefix("//").and_then(|rest| rest.split_once('/')).map_or("", |(_, path)| path);
        if query.contains('@') || (after.contains('@') && !is_path(&scheme)) {
            return Err(OpenError::Unencoded);
        }
        let (mut parameters, mut foreign) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            // What has no `=`, or no name before it, may be a piece of a password; it is not repeated.
            let (name, value) = pair.split_once('=').ok_or(OpenError::Unencoded)?;
            let name = decode(name)?;
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte)) {
                return Err(OpenError::Unencoded);
            }
            if ours.contains(&name.as_str()) {
                if parameters.iter().any(|(seen, _)| *seen == name) {
                    return Err(OpenError::Parameter { name, wanted: "there once" });
                }
                parameters.push((name, decode(value)?));
            } else if matches!(driver, Driver::Knows(known) if !known.contains(&name.as_str())) {
                return Err(OpenError::UnknownParameter(name));
            } else {
                foreign.push(pair.to_owned());
            }
        }
        Ok(Self { scheme, rest: rest.to_owned(), parameters, foreign })
    }

    /// Returns the URL without the parameters that are ours, for the driver.
    pub(crate) fn for_driver(&self) -> String {
        let query = if self.foreign.is_empty() { String::new() } else { format!("?{}", self.foreign.join("&")) };
        format!("{}:{}{query}", self.scheme, self.rest)
    }

    /// Returns the path of a URL that names a file or folder, decoded, with or without `//` before it.
    pub(crate) fn path(&self) -> Result<String, OpenError> {
        let path = decode(self.rest.strip_prefix("//").unwrap_or(&self.rest))?;
        if path.is_empty() { Err(OpenError::NoPath) } else { Ok(path) }
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.rest.is_empty() || self.rest == "//"
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Reads a whole number that is not zero.
    pub(crate) fn number<N: std::str::FromStr + PartialEq + From<u8>>(
        &self,
        name: &str,
    ) -> Result<Option<N>, OpenError> {
        let wrong = || OpenError::Parameter { name: name.to_owned(), wanted: "a whole number from 1 on" };
        let number: Option<N> = self.text(name).map(str::parse).transpose().map_err(|_| wrong())?;
        if number.as_ref().is_some_and(|number| *number == N::from(0)) { Err(wrong()) } else { Ok(number) }
    }

    pub(crate) fn timeout(&self) -> Result<Option<Duration>, OpenError> {
        Ok(self.number(TIMEOUT)?.map(Duration::from_millis))
    }

    pub(crate) fn setup(&self) -> Result<Setup, OpenError> {
        let words = [("on", Setup::On), ("verify", Setup::Verify), ("off", Setup::Off)];
        Ok(self.one_of(SETUP, "on, verify or off", &words)?.unwrap_or(Setup::On))
    }

    /// Says whether an application shall start without its database.
    pub(crate) fn connects_later(&self) -> Result<bool, OpenError> {
        Ok(self.one_of(CONNECT, "now or later", &[("now", false), ("later", true)])?.unwrap_or(false))
    }

    /// Refuses what hosters' URLs ask of PostgreSQL's own library where it cannot be done, and leaves the rest: a store's time-out is
    /// that of connecting too, and it needs a server that writes.
    pub(crate) fn read_hosters_parameters(&self) -> Result<(), OpenError> {
        self.number::<u32>(CONNECT_TIMEOUT)?;
        self.one_of(
            CHANNEL_BINDING,
            "prefer or disable; instead of require write sslmode=verify-full",
            &[("prefer", ()), ("disable", ())],
        )?;
        self.one_of(
            SESSION_ATTRIBUTES,
            "any, read-write or primary, as sessions are written",
            &[("any", ()), ("read-write", ()), ("primary", ())],
        )?;
        Ok(())
    }

    /// Reads one of a few words.
    pub(crate) fn one_of<T: Copy>(
        &self,
        name: &str,
        wanted: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, OpenError> {
        let Some(given) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
        found.map(Some).ok_or_else(|| OpenError::Parameter { name: name.to_owned(), wanted })
    }
}

/// Splits a URL at the colon after its scheme, which is told in lower case.
pub(crate) fn split_scheme(url: &str) -> Result<(String, &str), OpenError> {
    let (scheme, rest) = url.split_once(':').ok_or(OpenError::NoScheme)?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_one = !scheme.is_empty() && scheme.bytes().all(is_scheme);
    if is_one { Ok((scheme.to_ascii_lowercase(), rest)) } else { Err(OpenError::NoScheme) }
}

/// The schemes whose URLs name a file or folder, where nobody writes a password.
fn is_path(scheme: &str) -> bool {
    matches!(scheme, "file" | "sqlite")
}

fn decode(text: &str) -> Result<String, OpenError> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| OpenError::Encoding)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, OpenError> {
        Location::parse(url, &[NAMESPACE, SETUP, TIMEOUT, POOL], Driver::Knows(&["sslmode", "options"]))
    }

    #[test]
    fn our_parameters_are_taken_out_and_the_others_stay_as_they_were() {
        let url = "postgres://u:p%40ss@h:5432/db?sslmode=require&namespace=my%20app&options=-c%20a%3Db&setup=off";
        let location = parse(url).expect("the URL is one");
        assert_eq!(location.text(NAMESPACE), Some("my app"));
        assert_eq!(location.for_driver(), "postgres://u:p%40ss@h:5432/db?sslmode=require&options=-c%20a%3Db");
        assert_eq!(location.setup().ok(), Some(Setup::Off));
        assert_eq!(location.timeout().ok(), Some(None));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_name() {
        for (url, said) in [
            ("sqlite", "the store is not given as a url"),
            ("/var/lib/x", "the store is not given as a url"),
            ("x:y?setup=maybe", "`setup`"),
            ("x:y?pool=0", "`pool`"),
            ("x:y?pool=ten", "`pool`"),
            ("x:y?timeout_ms=-1", "`timeout_ms`"),
            ("x:y?pool=1&pool=2", "`pool`"),
            ("x:%ff", "percent"),
            ("x:y?sslmod=require", "`sslmod`"),
            ("x:y?namespace=shop#insecure", "%23"),
            ("x:y#insecure", "%23"),
            ("x://u:p?q@h/db", "percent"),
            ("x://u:p/q@h/db", "percent"),
            ("x:y?pool", "percent"),
        ] {
            let refusal = parse(url).and_then(|location| {
                location.path()?;
                location.setup()?;
                location.number::<u32>(POOL)?;
                location.timeout().map(drop)
            });
            let words = refusal.expect_err("the URL is wrong").to_string();
            assert!(words.contains(said), "{url}: {words}");
        }
    }

    #[test]
    fn a_scheme_may_have_capitals() {
        assert_eq!(
            parse("PostgreS://h/db").map(|location| location.for_driver()).ok().as_deref(),
            Some("postgres://h/db")
        );
    }

    #[test]
    fn a_path_may_have_slashes_before_it() {
        for (url, path) in [("file:a/b", "a/b"), ("file:/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("file:a%20b", "a b")]
        {
            assert_eq!(parse(url).and_then(|location| location.path()).ok().as_deref(), Some(path));
        }
    }
}
