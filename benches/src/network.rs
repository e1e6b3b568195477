//! The HTTP side over HTTP: every server on the first core, the load on the second.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::body::Body;
use crate::cpu::Server;
use crate::process::PATHS;
use crate::results::{Results, median};
use crate::{Outcome, apps};

const SESSIONS: usize = 500;
const CONNECTIONS: &str = "32";

/// A server that is stopped when it is dropped.
struct Running {
    name: String,
    child: Child,
    port: u16,
    processor: Server,
    script: tempfile::NamedTempFile,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures all servers with sessions in memory or in Redis, in turns.
pub fn measure(
    results: &mut Results,
    serve: &Path,
    node: &Path,
    redis: Option<&str>,
    rounds: usize,
    time: Duration,
) -> Outcome<()> {
    if let Some(url) = redis {
        for process in Server::of_url(url).processes() {
            run("taskset", &["-a", "-p", "-c", "1", &process.to_string()])?;
        }
    }
    let mut servers = Vec::new();
    for name in apps::APPS.into_iter().chain(["express-session"]) {
        if name == "bare" && redis.is_some() {
            continue;
        }
        servers.push(Running::start(name, serve, node, redis)?);
    }
    let store = if redis.is_some() { "Redis" } else { "memory" };
    for path in PATHS {
        let mut samples = vec![Vec::new(); servers.len()];
        for round in 0..rounds {
            for place in 0..servers.len() {
                let place = (place + round) % servers.len();
                samples[place].push(servers[place].load(path, time)?);
            }
        }
        let rate = |place: usize| median(&samples[place].iter().map(|sample| sample.rate).collect::<Vec<_>>());
        let express = rate(servers.len() - 1);
        for (place, server) in servers.iter().enumerate() {
            let table = format!("Over HTTP, {store}: {path}");
            let all = |of: fn(&Load) -> f64| median(&samples[place].iter().map(of).collect::<Vec<_>>());
            results.add(&table, &server.name, "requests/s", format!("{:.0}", rate(place)));
            results.add(&table, &server.name, "of express-session", format!("{:.1} ×", rate(place) / express));
            results.add(&table, &server.name, "µs of the server's core", format!("{:.1}", all(|load| load.cpu)));
            results.add(&table, &server.name, "p50", format!("{:.2} ms", all(|load| load.p50)));
            results.add(&table, &server.name, "p99", format!("{:.2} ms", all(|load| load.p99)));
            let failures: u64 = samples[place].iter().map(|load| load.failures).sum();
            results.add(&table, &server.name, "errors", failures.to_string());
        }
        eprintln!("over HTTP, {store}: {path}");
    }
    Ok(())
}

/// What `wrk` saw.
#[derive(Clone, Copy)]
struct Load {
    rate: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
    failures: u64,
}

impl Running {
    fn start(name: &str, serve: &Path, node: &Path, redis: Option<&str>) -> Outcome<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        if name == "express-session" {
            command.arg("node").arg(node.join("server.mjs"));
            command.env("NODE_ENV", "production").env("BODY", &*Body::of_size(apps::SIZE).text);
        } else {
            command.arg(serve).arg(name);
        }
        command.arg(port.to_string()).args(redis).stdout(Stdio::null());
        let processor = Server::of_process(0);
        let mut running = Self {
            name: name.to_owned(),
            child: command.spawn()?,
            port,
            processor,
            script: tempfile::NamedTempFile::new()?,
        };
        running.processor = Server::of_process(running.child.id());
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{name} did not start").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut cookies = String::new();
        for _ in 0..SESSIONS {
            let cookie = if name == "bare" { "a=b".to_owned() } else { seed(port)? };
            writeln!(cookies, "  {cookie:?},")?;
        }
        let script = format!(
            "local cookies = {{\n{cookies}}}\nlocal number = 0\nrequest = function()\n  number = number % #cookies + 1\n  \
             return wrk.format('GET', nil, {{ Cookie = cookies[number] }})\nend\n"
        );
        fs::write(running.script.path(), script)?;
        Ok(running)
    }

    fn load(&self, path: &str, time: Duration) -> Outcome<Load> {
        let script = self.script.path().to_string_lossy();
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let seconds = format!("{}s", time.as_secs());
        let before = self.processor.used();
        let said = run(
            "taskset",
            &["-c", "1", "wrk", "-t1", "-c", CONNECTIONS, "-d", &seconds, "--latency", "-s", &script, &url],
        )?;
        let used = self.processor.used().saturating_sub(before);
        let after = |label: &str| {
            let line = said.lines().map(str::trim).find(|line| line.starts_with(label));
            line.and_then(|line| line[label.len()..].split_whitespace().next()).unwrap_or_default()
        };
        let line = said.lines().map(str::trim).find(|line| line.contains(" requests in ")).unwrap_or_default();
        let requests: f64 = line.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(1.0);
        Ok(Load {
            rate: after("Requests/sec:").parse()?,
            cpu: used.as_secs_f64() * 1e6 / requests.max(1.0),
            p50: milliseconds(after("50%")),
            p99: milliseconds(after("99%")),
            failures: after("Non-2xx or 3xx responses:").parse().unwrap_or_default(),
        })
    }
}

fn milliseconds(text: &str) -> f64 {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse::<f64>().ok());
    number("us")
        .map(|micros| micros / 1000.0)
        .or(number("ms"))
        .or(number("s").map(|seconds| seconds * 1000.0))
        .unwrap_or(0.0)
}

fn run(program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Begins a session and returns its cookies.
fn seed(port: u16) -> Outcome<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET /seed HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => return Err(error.into()),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    let lines = answer.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
    let pairs: Vec<&str> = lines.filter_map(|line| line.split_once(':')?.1.trim().split(';').next()).collect();
    if pairs.is_empty() { Err(format!("no cookie was set: {answer}").into()) } else { Ok(pairs.join("; ")) }
}
