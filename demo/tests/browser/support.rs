//! A running demo, and a client that keeps its cookie by hand.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up. Only a broken program needs it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The demo, running; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the demo on a database in `folder`.
    pub(crate) fn on_sqlite(folder: &Path) -> Self {
        Self::start(command().arg("--store").arg(sqlite(folder)))
    }

    /// Starts the demo on files in `folder`.
    pub(crate) fn on_files(folder: &Path) -> Self {
        Self::start(command().arg("--store").arg(format!("file:{}", folder.join("sessions").display())))
    }

    pub(crate) fn in_memory() -> Self {
        Self::start(command().args(["--store", "memory:"]))
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_on(command, "127.0.0.1:0")
    }

    /// Starts the demo, and reads where it listens.
    pub(crate) fn start_on(command: &mut Command, address: &str) -> Self {
        let command = command.args(["--addr", address]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let errors = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn({
            let log = log.clone();
            move || {
                for line in errors.lines().map(Result::unwrap) {
                    note("log", &line);
                    *log.lock().unwrap() += &(line + "\n");
                }
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url =
            lines.find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned));
        let mut server = Self { child, url: String::new(), log, reader: Some(reader) };
        server.url = url.unwrap_or_else(|| panic!("the demo did not start:\n{}", server.log()));
        // What it prints later is of no interest, and must not block it.
        thread::spawn(move || lines.for_each(drop));
        server
    }

    pub(crate) fn client(&self) -> Client {
        Client { url: self.url.clone(), cookie: None }
    }

    /// Returns what was logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has a line with these words.
    pub(crate) fn wait_for_log(&self, words: &str) {
        let start = Instant::now();
        while !self.log().contains(words) {
            assert!(start.elapsed() < PATIENCE, "{words:?} is not in the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal, waits for the end, and returns how it ended and the whole log.
    pub(crate) fn stop_with(mut self, signal: &str) -> (ExitStatus, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the demo does not stop:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        };
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, without anything that the environment of the tests might tell it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env_remove("SESSION_STORE").env_remove("SESSION_SECRET").env_remove("RUST_LOG").stdin(Stdio::null());
    if std::env::var_os(TRACES).is_some() {
        command.env("RUST_LOG", "trace");
    }
    command
}

/// Names the folder of what `scripts/secrecy` searches: what is logged, and what must not be in it.
pub(crate) const TRACES: &str = "SESSION_TEST_TRACES";

/// Adds a line to a file of this process, if there is a folder for it.
fn note(end: &str, line: &str) {
    if let Some(folder) = std::env::var_os(TRACES) {
        let path = Path::new(&folder).join(format!("demo-{}.{end}", std::process::id()));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

pub(crate) fn keep_out_of_the_log(secret: &str) {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    note("secrets", &hex);
}

pub(crate) fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("demo.sqlite").display())
}

/// A browser without a window. A clone is a second tab: it begins with the same cookie.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    /// What goes into the `Cookie` header.
    pub(crate) cookie: Option<String>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        self.take(request.call())
    }

    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[])
    }

    pub(crate) fn post_with(&mut self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().post(format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        form.iter().filter(|(name, _)| *name == "item").for_each(|(_, item)| keep_out_of_the_log(item));
        self.take(request.send_form(form.iter().copied()))
    }

    /// Logs in, as every test that is about something else does.
    pub(crate) fn logged_in_as(mut self, user: &str) -> Self {
        assert_eq!(self.post("/login", &[("user", user)]).status, 303);
        self
    }

    /// Returns `/api/session`.
    pub(crate) fn session(&mut self) -> Value {
        let answer = self.get("/api/session");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Returns the user that is logged in.
    pub(crate) fn user(&mut self) -> Option<String> {
        self.session()["user"].as_str().map(str::to_owned)
    }

    /// Returns the cart, sorted.
    pub(crate) fn cart(&mut self) -> Vec<String> {
        let mut cart: Vec<String> = serde_json::from_value(self.session()["cart"].take()).unwrap();
        cart.sort();
        cart
    }

    /// Keeps the cookie that an answer sets, as a browser does, and drops the one that it removes.
    fn take(&mut self, outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
        let (head, mut body) = outcome.unwrap().into_parts();
        let answer =
            Answer { status: head.status.as_u16(), headers: head.headers, body: body.read_to_string().unwrap() };
        if let Some(set) = answer.set_cookie() {
            set.split(['=', '.', ';']).skip(1).take(2).for_each(keep_out_of_the_log);
            let removed = set.contains("Max-Age=0");
            self.cookie = set.split(';').next().filter(|_| !removed).map(str::to_owned);
        }
        answer
    }
}

impl Answer {
    /// Returns a header; none that a test asks for is ever there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert_eq!(values.next(), None, "{name} is there twice");
        Some(value.to_str().unwrap())
    }

    pub(crate) fn set_cookie(&self) -> Option<&str> {
        self.header("set-cookie")
    }
}

/// Every request has a connection of its own, follows no redirect, and takes every status for an answer.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}
