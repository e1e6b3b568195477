//! Cookies that differ from request to request, and what a browser makes of every cookie that can be built: it keeps each, and
//! each removal takes away what was set (RFC 6265bis, 5.7).

mod support;

use std::collections::BTreeMap;

use http::{Request, Response, header};
use session_core::{Scope, SessionIndex};
use session_http::{CookiePolicy, Priority, Proxy, SameSite, SecureConnection, SecurePolicy, Session, SessionSlot};
use support::{App, HOUR};

const HOST: &str = "www.example.org";

/// A browser's jar: name, domain or host, and path of a cookie, and its value.
#[derive(Debug, Default, PartialEq, Eq)]
struct Jar(BTreeMap<(String, String, String), String>);

impl Jar {
    /// Takes a `Set-Cookie` that came over HTTPS or not, as RFC 6265bis says; `Err` says why it does not.
    fn take(&mut self, line: &str, is_https: bool) -> Result<(), &'static str> {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).ok_or("no pair")?;
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let find = |name: &str| attributes.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
        if attributes.iter().any(|(name, value)| name.len() + value.len() > 1024) || name.len() + value.len() > 4096 {
            return Err("too long");
        }
        let (is_secure, domain, path) = (find("secure").is_some(), find("domain"), find("path").unwrap_or("/"));
        if domain.is_some_and(|domain| HOST != domain && !HOST.ends_with(&format!(".{domain}"))) {
            return Err("another domain");
        }
        if is_secure && !is_https {
            return Err("Secure over plain HTTP");
        }
        if find("samesite").is_some_and(|site| site.eq_ignore_ascii_case("none")) && !is_secure {
            return Err("SameSite=None without Secure");
        }
        if find("partitioned").is_some() && !is_secure {
            return Err("Partitioned without Secure");
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("__secure-") && !is_secure {
            return Err("__Secure- without Secure");
        }
        if lower.starts_with("__host-") && !(is_secure && domain.is_none() && path == "/") {
            return Err("__Host- without its terms");
        }
        let key = (name.to_owned(), domain.unwrap_or(HOST).to_owned(), path.to_owned());
        if find("max-age").is_some_and(|age| age.parse::<i64>().is_ok_and(|age| age <= 0)) {
            self.0.remove(&key);
        } else {
            self.0.insert(key, value.to_owned());
        }
        Ok(())
    }
}

/// Everything that can be built from these.
fn policies() -> Vec<CookiePolicy> {
    let mut policies = Vec::new();
    for name in ["__Host-s", "__Secure-s", "s"] {
        for domain in [None, Some("example.org"), Some(HOST)] {
            for path in ["/", "/app"] {
                for site in [SameSite::Lax, SameSite::Strict, SameSite::None] {
                    for secure in [SecurePolicy::Always, SecurePolicy::Auto, SecurePolicy::Never] {
                        for bits in 0..8 {
                            let builder = CookiePolicy::builder().with_name(name).with_path(path);
                            let mut builder = builder.with_same_site(site).with_secure(secure);
                            if let Some(domain) = domain {
                                builder = builder.with_domain(domain);
                            }
                            if bits & 1 > 0 {
                                builder = builder.with_partitioning();
                            }
                            if bits & 2 > 0 {
                                builder = builder.with_priority(Priority::High);
                            }
                            if bits & 4 > 0 {
                                builder = builder.with_max_age(HOUR);
                            }
                            policies.extend(builder.build());
                        }
                    }
                }
            }
        }
    }
    policies
}

fn request(is_https: bool, cookie: &str) -> Request<()> {
    let mut request = Request::builder().uri("/app").header(header::COOKIE, cookie).body(()).expect("it is valid");
    if is_https {
        request.extensions_mut().insert(SecureConnection);
    }
    request
}

async fn send(app: &App, request: &Request<()>, handler: impl AsyncFnOnce(&Session)) -> Option<String> {
    let slot = SessionSlot::for_request(app.config.clone(), request);
    handler(&slot.open(request.headers()).await.expect("the store works")).await;
    let mut response = Response::new(());
    slot.commit().await.expect("the store works").apply_to(&mut response);
    let line = response.headers().get(header::SET_COOKIE)?;
    Some(line.to_str().expect("our cookies are text").to_owned())
}

fn pair(line: &str) -> String {
    line.split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_browser_keeps_every_cookie_that_can_be_built_and_its_removal_leaves_an_empty_jar() {
    let policies = policies();
    assert!(policies.len() > 200, "{}", policies.len());
    for policy in policies {
        for is_https in [true, false] {
            let app = App::with(|config| config.with_cookie(policy.clone()));
            let mut jar = Jar::default();
            let set =
                send(&app, &request(is_https, ""), async |session| session.set("n", &1).expect("it is JSON")).await;
            let set = set.expect("a session was created");
            let taken = jar.take(&set, is_https);
            if !is_https && set.contains("; Secure") {
                assert_eq!(taken, Err("Secure over plain HTTP"), "{set}");
                continue;
            }
            assert_eq!((taken, jar.0.len()), (Ok(()), 1), "{set}");
            let removal = send(&app, &request(is_https, &pair(&set)), async |session| session.logout()).await;
            let removal = removal.expect("the session was ended");
            assert_eq!((jar.take(&removal, is_https), &jar), (Ok(()), &Jar::default()), "{set}\n{removal}");
            assert_eq!(app.store.inner.count(Scope::All).await.expect("it counts"), 0);
        }
    }
}

#[tokio::test]
async fn auto_says_secure_if_the_request_came_over_https() {
    let auto =
        CookiePolicy::builder().with_name("s").with_secure(SecurePolicy::Auto).build().expect("they go together");
    for (proxy, is_marked, forwarded, is_secure) in [
        (Proxy::Ignored, false, None, false),
        (Proxy::Ignored, true, None, true),
        (Proxy::Ignored, false, Some("https"), false),
        (Proxy::Trusted, false, Some("https"), true),
        (Proxy::Trusted, false, Some("HTTPS, http"), true),
        (Proxy::Trusted, false, Some("http, https"), false),
        (Proxy::Trusted, false, None, false),
        (Proxy::Trusted, true, Some("http"), true),
    ] {
        let app = App::with(|config| config.with_cookie(auto.clone()).with_proxy(proxy));
        let mut request = request(is_marked, "");
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-proto", forwarded.parse().expect("the test's header is valid"));
        }
        let line = send(&app, &request, async |session| session.set("n", &1).expect("it is JSON")).await;
        let line = line.expect("a session was created");
        assert_eq!(line.contains("; Secure"), is_secure, "{proxy:?} {is_marked} {forwarded:?}");
    }
}

#[tokio::test]
async fn each_request_may_have_a_cookie_of_its_own() {
    let app = App::with(|config| {
        config.with_path_gating().with_cookie_of(|request| {
            let builder = CookiePolicy::builder().with_name("s");
            let site = request.headers.get("x-site").and_then(|site| site.to_str().ok()).unwrap_or("none");
            let is_secure = request.extensions.get::<SecureConnection>().is_some();
            let secure = if is_secure { SecurePolicy::Always } else { SecurePolicy::Never };
            let builder = builder.with_path(format!("/{site}")).with_secure(secure);
            builder.build().unwrap_or_default()
        })
    });
    let at = |site: &str, is_https: bool, cookie: &str| {
        let mut request = request(is_https, cookie);
        *request.uri_mut() = format!("/{site}/page").parse().expect("the test's URL is valid");
        request.headers_mut().insert("x-site", site.parse().expect("the test's header is valid"));
        request
    };
    let set = send(&app, &at("one", true, ""), async |session| session.set("n", &1).expect("it is JSON")).await;
    let set = set.expect("a session was created");
    assert!(set.ends_with("; Path=/one; Secure; HttpOnly; SameSite=Lax"), "{set}");
    let request = at("two", false, &pair(&set));
    let removal = send(&app, &request, async |session| {
        assert!(!session.is_new());
        session.logout();
    });
    let removal = removal.await.expect("the session was ended");
    assert!(removal.starts_with("s=; Path=/two; HttpOnly; SameSite=Lax; Max-Age=0"), "{removal}");

    let mut elsewhere = at("one", true, "");
    *elsewhere.uri_mut() = "/two".parse().expect("the test's URL is valid");
    let slot = SessionSlot::for_request(app.config.clone(), &elsewhere);
    assert!(slot.is_outside_path(), "the path is that of the request's own cookie");
}
