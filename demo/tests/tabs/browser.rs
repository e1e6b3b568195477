//! A browser whose tabs share one jar of cookies, and what its tabs can do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use crate::random::Random;
use crate::support::{agent, keep_out_of_the_log};

/// What the tabs of a browser share.
pub(crate) struct Browser<'a> {
    servers: &'a [String],
    jar: Mutex<Jar>,
}

/// The cookies of a browser.
#[derive(Default)]
pub(crate) struct Jar {
    cookies: BTreeMap<String, String>,
    /// Every header that could have been sent so far.
    had: BTreeSet<String>,
}

/// A tab: its requests go one after the other, to any of the servers.
pub(crate) struct Tab<'a> {
    browser: &'a Browser<'a>,
    agent: ureq::Agent,
    pub(crate) random: Random,
}

/// What `/api/session` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) user: Option<String>,
    pub(crate) cart: Vec<String>,
    devices: Vec<serde_json::Value>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(servers: &'a [String]) -> Self {
        Self { servers, jar: Mutex::default() }
    }

    pub(crate) fn tab(&'a self, random: Random) -> Tab<'a> {
        Tab { browser: self, agent: agent(), random }
    }

    /// Returns what a request that is sent now has in its `Cookie` header.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.jar().header()
    }

    /// Returns every `Cookie` header that the browser could have sent so far.
    pub(crate) fn had(&self) -> BTreeSet<String> {
        self.jar().had.clone()
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap()
    }
}

impl Jar {
    fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(pairs.join("; ")).filter(|header| !header.is_empty())
    }

    /// Does what a `Set-Cookie` header says. Only one host and one path are ever asked.
    fn apply(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap();
        let removes =
            |attribute: &str| matches!(&*attribute.to_ascii_lowercase(), "max-age=0") || attribute.contains("1970");
        if parts.any(removes) {
            self.cookies.remove(name);
        } else {
            value.split('.').for_each(keep_out_of_the_log);
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.had.extend(self.header());
    }
}

impl Seen {
    /// Returns how many sessions the user has that this browser cannot reach.
    pub(crate) fn sessions_elsewhere(&self) -> usize {
        self.devices.len().saturating_sub(1)
    }
}

impl Tab<'_> {
    /// Sends a form with the cookie of now, and returns the status of the answer.
    pub(crate) fn post(&mut self, path: &str, form: &[(&str, &str)]) -> u16 {
        let cookie = self.browser.cookie();
        self.post_with(cookie.as_deref(), path, form)
    }

    /// Sends a form. What the answer says about cookies is done as soon as its head has arrived.
    pub(crate) fn post_with(&mut self, cookie: Option<&str>, path: &str, form: &[(&str, &str)]) -> u16 {
        let url = format!("{}{path}", self.server());
        let mut request = self.agent.post(url);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let (head, mut body) = request.send_form(form.iter().copied()).unwrap().into_parts();
        let mut jar = self.browser.jar();
        for line in head.headers.get_all("set-cookie") {
            jar.apply(line.to_str().unwrap());
        }
        drop(jar);
        // The connection is used again only when everything was read.
        body.read_to_vec().unwrap();
        head.status.as_u16()
    }

    /// Sends a login, and goes away before it is answered.
    pub(crate) fn post_login_and_leave(&mut self, user: &str, after: Duration) {
        let server = self.server();
        let host = server.strip_prefix("http://").unwrap();
        let cookie = self.browser.cookie().map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        let body = format!("user={user}");
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: {host}\r\n{cookie}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(host).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        thread::sleep(after);
    }

    /// Asks what the session of the browser is now.
    pub(crate) fn session(&mut self) -> Seen {
        let cookie = self.browser.cookie();
        self.session_of(cookie.as_deref())
    }

    /// Asks what the session of a cookie is, beside the browser.
    pub(crate) fn session_of(&mut self, cookie: Option<&str>) -> Seen {
        let url = format!("{}/api/session", self.server());
        let mut request = self.agent.get(url);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let mut answer = request.call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn server(&mut self) -> String {
        let count = self.browser.servers.len() as u64;
        self.browser.servers[self.random.below(count) as usize].clone()
    }
}
