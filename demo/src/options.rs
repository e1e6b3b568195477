//! What the command line and the environment say.

use std::env::{self, VarError};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: demo [--store URL] [--addr HOST:PORT]

Options:
  --store URL        where the sessions are kept; also the variable SESSION_STORE
                     [default: sqlite:demo.sqlite]
  --addr HOST:PORT   where to listen [default: 127.0.0.1:3000]; port 0 takes a free one
  --help             print this text

Environment:
  SESSION_SECRET     signs the cookies, at least 32 bytes; without it a file beside the sessions keeps one
  RUST_LOG           what is logged, for instance `info` or `session_http=trace`
";

const DEFAULT_STORE: &str = "sqlite:demo.sqlite";
const DEFAULT_ADDRESS: &str = "127.0.0.1:3000";

/// What the program is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Serve the application.
    Serve(Options),
    /// Print the usage and end.
    Help,
}

/// Where to listen, as `host:port`, and the URL of the store, not yet looked at any closer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) store: String,
    pub(crate) address: String,
}

/// A command line that does not say what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("unknown option `{0}`")]
    Unknown(String),
    #[error("the option `{0}` needs a value")]
    NoValue(String),
    #[error("the option `{0}` takes no value")]
    Superfluous(String),
    #[error("the option `{0}` is there twice")]
    Twice(String),
    #[error("`{0}` is not an address with a port")]
    BadAddress(String),
    #[error("the variable {0} is not unicode text")]
    NotUnicode(&'static str),
    #[error("the variable RUST_LOG is not understood")]
    BadFilter(#[source] tracing_subscriber::filter::ParseError),
}

/// Reads a variable of the environment; one that is empty counts as absent.
pub(crate) fn variable(name: &'static str) -> Result<Option<String>, UsageError> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(UsageError::NotUnicode(name)),
    }
}

/// Reads the arguments after the program's name; `environment` is what `SESSION_STORE` says, if anything.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = String>,
    environment: Option<String>,
) -> Result<Request, UsageError> {
    let (mut store, mut address) = (None, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        let slot = match name.as_str() {
            "--help" | "-h" if value.is_none() => return Ok(Request::Help),
            "--help" => return Err(UsageError::Superfluous(name)),
            "--store" => &mut store,
            "--addr" => &mut address,
            _ => return Err(UsageError::Unknown(name)),
        };
        let value = value.or_else(|| arguments.next()).filter(|value| !value.is_empty());
        let Some(value) = value else { return Err(UsageError::NoValue(name)) };
        if slot.replace(value).is_some() {
            return Err(UsageError::Twice(name));
        }
    }
    let address: String = address.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
    let is_address = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
    if !address.rsplit_once(':').is_some_and(is_address) {
        return Err(UsageError::BadAddress(address));
    }
    Ok(Request::Serve(Options { store: store.or(environment).unwrap_or_else(|| DEFAULT_STORE.to_owned()), address }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str, environment: Option<&str>) -> Result<Request, String> {
        let words = line.split_whitespace().map(str::to_owned);
        parse(words, environment.map(str::to_owned)).map_err(|error| error.to_string())
    }

    fn serve(store: &str, address: &str) -> Result<Request, String> {
        Ok(Request::Serve(Options { store: store.to_owned(), address: address.to_owned() }))
    }

    #[test]
    fn an_option_wins_over_the_environment_and_that_over_the_default() {
        assert_eq!(parse_words("", None), serve(DEFAULT_STORE, DEFAULT_ADDRESS));
        assert_eq!(parse_words("", Some("memory:")), serve("memory:", DEFAULT_ADDRESS));
        assert_eq!(parse_words("--store sqlite:a --addr [::1]:80", Some("memory:")), serve("sqlite:a", "[::1]:80"));
        assert_eq!(parse_words("--addr=[::1]:80 --store=sqlite:a?b=c", None), serve("sqlite:a?b=c", "[::1]:80"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |line| parse_words(line, None);
        assert_eq!(refused("--stor x"), Err("unknown option `--stor`".into()));
        assert_eq!(refused("memory:"), Err("unknown option `memory:`".into()));
        assert_eq!(refused("--store"), Err("the option `--store` needs a value".into()));
        assert_eq!(refused("--store="), Err("the option `--store` needs a value".into()));
        assert_eq!(refused("--addr a --addr b"), Err("the option `--addr` is there twice".into()));
        assert_eq!(refused("--addr nowhere"), Err("`nowhere` is not an address with a port".into()));
        assert!(refused("--addr :80").is_err() && refused("--addr localhost:99999").is_err());
        assert_eq!(refused("--help=yes"), Err("the option `--help` takes no value".into()));
    }

    #[test]
    fn help_is_a_request_of_its_own() {
        assert_eq!(parse_words("--addr x:1 --help", None), Ok(Request::Help));
        assert_eq!(parse_words("-h", None), Ok(Request::Help));
    }
}
