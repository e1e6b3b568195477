//! What the tests trace, written down and searched for what no log may hold (feature `traces`).
//!
//! Where the environment variable `SESSION_TEST_TRACES` names a folder, the suite writes every event and span of its process into a
//! file there, from `TRACE` on, and beside it the texts that are secret. [`search`] then looks for each text of any process in the
//! traces of all processes, in every spelling in which a text gets into a log. Tests of other kinds take part by calling
//! [`capture`] and [`keep_out`].

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use session_core::{Data, Error};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::check::describe;

/// Names the folder of the traces.
const FOLDER: &str = "SESSION_TEST_TRACES";

/// What is shorter is not looked for: it would be found by chance.
const SHORTEST: usize = 8;

/// The secrets of this process, if there is a folder.
static SECRETS: LazyLock<Option<Mutex<Secrets>>> = LazyLock::new(|| {
    let secrets = start().unwrap_or_else(|error| panic!("the traces cannot be written: {error}"));
    secrets.map(Mutex::new)
});

struct Secrets {
    file: File,
    known: BTreeSet<Vec<u8>>,
}

/// How much of a long secret is looked for at a time.
const PIECE: usize = 128;

/// Who sees what is traced, beside the file.
static TAP: OnceLock<fn(&[u8])> = OnceLock::new();

struct Log(File);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(tap) = TAP.get() {
            tap(bytes);
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes down what this process traces from now on, if the environment names a folder for it. Once is enough; again, it does
/// nothing.
///
/// # Panics
///
/// If the folder cannot be written, or another subscriber is there for the whole process.
pub fn capture() {
    LazyLock::force(&SECRETS);
}

/// Hands what is captured to `see` too, on the thread that traces it, and says whether anything is: a test that looks at its own
/// traces starts a subscriber otherwise.
pub fn tap(see: fn(&[u8])) -> bool {
    TAP.get_or_init(|| see);
    SECRETS.is_some()
}

/// Remembers that a text must be in no trace. Does nothing if traces are not captured. Less than 8 bytes are not looked for, and of
/// more than 512 the beginning, the middle and the end.
pub fn keep_out(secret: impl AsRef<[u8]>) {
    let (secret, Some(secrets)) = (secret.as_ref(), &*SECRETS) else { return };
    if secret.len() > 4 * PIECE {
        for start in [0, secret.len() / 2, secret.len() - PIECE] {
            keep_out(&secret[start..start + PIECE]);
        }
        return;
    }
    let mut secrets = secrets.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SHORTEST && secrets.known.insert(secret.to_owned()) {
        let line = format!("{}\n", hex(secret));
        secrets.file.write_all(line.as_bytes()).expect("the folder of the traces takes a line");
    }
}

/// Remembers that the data of a session must be in no trace: neither as a whole, nor a text of it.
pub fn keep_data_out(data: &Data) {
    if SECRETS.is_some() {
        keep_out(data.as_str());
        for (_, value) in data.iter() {
            if let Ok(text) = serde_json::from_str::<String>(value.get()) {
                keep_out(text);
            }
        }
    }
}

/// Traces an error with its causes, as applications do, so that it is searched too. The cause of `Corrupt` may quote what is stored.
pub(crate) fn refused(error: &Error) {
    let message = if matches!(error, Error::Corrupt(_)) { error.to_string() } else { describe(error) };
    tracing::debug!(target: "conformance_tests", error = message, "refused");
}

/// Opens the two files of this process and starts to trace.
fn start() -> io::Result<Option<Secrets>> {
    let Some(folder) = std::env::var_os(FOLDER) else { return Ok(None) };
    let (folder, program) = (PathBuf::from(folder), std::env::current_exe()?);
    fs::create_dir_all(&folder)?;
    let name = format!("{}-{}", program.file_stem().unwrap_or_default().to_string_lossy(), std::process::id());
    let open = |end| OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.{end}")));
    let traces = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(Mutex::new(Log(open("log")?)));
    // With what the drivers say to `log` instead.
    tracing_subscriber::util::SubscriberInitExt::try_init(traces.finish()).map_err(io::Error::other)?;
    tracing::info!(target: "conformance_tests", "the traces begin");
    Ok(Some(Secrets { file: open("secrets")?, known: BTreeSet::new() }))
}

/// What a search found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Searched {
    /// How many secrets were looked for.
    pub secrets: usize,
    /// How many bytes of traces there are.
    pub bytes: u64,
    /// Each place where a secret stands: the file, the spelling, and the line. A line is shown once.
    pub found: Vec<String>,
}

/// Looks for the secrets of a folder in its traces. Fails when there are no traces or no secrets.
pub fn search(folder: &Path) -> io::Result<Searched> {
    let files = |end: &str| -> io::Result<Vec<PathBuf>> {
        let paths =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == end)).collect())
    };
    let mut secrets = BTreeSet::new();
    for path in files("secrets")? {
        let lines = fs::read_to_string(path)?;
        secrets.extend(lines.lines().filter_map(unhex).filter(|secret| secret.len() >= SHORTEST));
    }
    let mut searched = Searched { secrets: secrets.len(), ..Searched::default() };
    // By their first bytes, so that one pass over the traces is enough.
    let mut needles: HashMap<[u8; SHORTEST], Vec<(Vec<u8>, &str)>> = HashMap::new();
    for (spelling, needle) in secrets.iter().flat_map(|secret| spellings(secret)) {
        if let Some(first) = needle.first_chunk() {
            needles.entry(*first).or_default().push((needle, spelling));
        }
    }
    // And most places begin with no needle's first two.
    let mut begins = vec![false; 1 << 16];
    let two = |first: &[u8]| usize::from(first[0]) << 8 | usize::from(first[1]);
    needles.keys().for_each(|first| begins[two(first)] = true);
    for path in files("log")? {
        let traces = fs::read(&path)?;
        searched.bytes += traces.len() as u64;
        for line in traces.split(|&byte| byte == b'\n') {
            let hits = line.windows(SHORTEST).enumerate().filter_map(|(place, first)| {
                if !begins[two(first)] {
                    return None;
                }
                let candidates = needles.get(first)?;
                candidates.iter().find(|(needle, _)| line[place..].starts_with(needle)).map(|(_, spelling)| spelling)
            });
            if let Some(spelling) = hits.into_iter().next() {
                let line = String::from_utf8_lossy(line);
                searched.found.push(format!("{}: {spelling}: {line}", path.display()));
            }
        }
    }
    if searched.secrets == 0 || searched.bytes == 0 {
        return Err(io::Error::other(format!("there is nothing to search in {}", folder.display())));
    }
    Ok(searched)
}

/// Returns the ways in which a secret may be written down, and what each is called.
fn spellings(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(secret);
    let quoted = |text: &str| format!("{text:?}").trim_matches('"').to_owned();
    let percent = |kept: fn(u8) -> bool| -> String {
        let one = |&byte: &u8| if kept(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
        secret.iter().map(one).collect()
    };
    let list = |comma: &str| secret.iter().map(u8::to_string).collect::<Vec<_>>().join(comma);
    let mut found = vec![
        ("as it is", secret.to_owned()),
        ("quoted", quoted(&text).into()),
        ("quoted twice", quoted(&quoted(&text)).into()),
        ("in hex", hex(secret).into()),
        ("in hex", hex(secret).to_uppercase().into()),
        ("with percent signs", percent(|_| false).into()),
        ("with percent signs", percent(|_| false).to_lowercase().into()),
        ("with percent signs", percent(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)).into()),
        ("as a list", list(", ").into()),
        ("as a list", list(",").into()),
    ];
    for offset in 0..3 {
        let encoded = STANDARD.encode([&b"..."[..offset], secret].concat());
        // The characters at both ends depend on the neighbours.
        let inside = encoded.get(4..encoded.len() - 4).unwrap_or_default();
        found.push(("in base64", inside.into()));
        found.push(("in base64url", inside.replace('+', "-").replace('/', "_").into()));
    }
    // An id stands for 24 bytes, which can be written down in these ways too.
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(secret)
        && bytes.len() == 24
        && bytes != secret
    {
        found.extend(spellings(&bytes));
    }
    found.retain(|(_, needle)| needle.len() >= SHORTEST);
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a folder with one secret and one line of traces, and says whether the secret is found.
    fn is_found(name: &str, secret: &[u8], line: &str) -> bool {
        let folder = std::env::temp_dir().join(format!("traces-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("there is a temporary folder");
        fs::write(folder.join("a.secrets"), hex(secret) + "\n" + &hex(b"another secret") + "\n").expect("it is ours");
        fs::write(folder.join("b.log"), format!("nothing here\nTRACE a::b: n=1 {line} m=2\n")).expect("it is ours");
        let searched = search(&folder).expect("there is something to search");
        fs::remove_dir_all(&folder).expect("it is ours");
        !searched.found.is_empty()
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let id = b"tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
        let bytes = URL_SAFE_NO_PAD.decode(id).expect("base64");
        for line in [
            "cookie=tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3.x".to_owned(),
            format!("{bytes:?}"),
            format!("{:?}", b"xtdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3"),
            hex(id),
            hex(&bytes).to_uppercase(),
            STANDARD.encode(&bytes),
            STANDARD.encode([b"id=", &id[..]].concat()),
            URL_SAFE_NO_PAD.encode([b"a", &id[..], b"z"].concat()),
        ] {
            assert!(is_found("id", id, &line), "{line}");
        }
        let data = r#"{"a":"1 ü"}"#.as_bytes();
        for line in [
            r#"data={"a":"1 ü"}"#,
            r#"data="{\"a\":\"1 ü\"}""#,
            r#"r="Some(\"{\\\"a\\\":\\\"1 ü\\\"}\")""#,
            "%7B%22a%22%3A%221%20%C3%BC%22%7D",
            "123,34,97,34,58,34,49,32,195,188,34,125",
        ] {
            assert!(is_found("data", data, line), "{line}");
        }
    }

    #[test]
    fn what_is_short_is_not_looked_for() {
        assert!(!is_found("short", b"1234567", "1234567"));
        assert!(is_found("long", b"12345678", "12345678"));
    }

    #[test]
    fn what_is_not_there_is_not_found_and_nothing_to_search_is_an_error() {
        let id = b"tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
        for line in
            ["", "tdQ1xhhj0TEcRG8sRZH-8Hm6S4mpNcH3", "key=52b8f5c32b39277c1ed497cdeb6e17554467107b2e42db20ff1c38e1"]
        {
            assert!(!is_found("none", id, line), "{line}");
        }
        let folder = std::env::temp_dir().join(format!("traces-empty-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("there is a temporary folder");
        assert!(search(&folder).is_err());
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
