//! S6 to S8 for every configuration of the cookie that builds: a browser stores what is set, sends it back, and has
//! nothing left after the logout.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, header};
use session_core::{Clock, Expiry, ManualClock, SystemClock};
use session_http::{
    CookiePolicy, CookiePolicyBuilder, Priority, SameSite, Secrets, SecureConnection, SecurePolicy, Session,
    SessionConfig, SessionSlot, Sessions,
};
use session_store_memory::MemoryStore;

use crate::jar::{Jar, Kept, Place};

const SECRET: &str = "a secret of the tests, 32 bytes or more";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long sessions live: shorter than some of the cookies, longer than others.
const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A browser and an application with one policy.
struct Visitor {
    jar: Jar,
    place: Place,
    config: Sessions,
    clock: Arc<ManualClock>,
    policy: CookiePolicy,
    /// The attributes that make it the same cookie to a browser.
    scope: String,
}

impl Visitor {
    fn new(policy: &CookiePolicy, scope: &str, place: Place) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = MemoryStore::new().with_clock(clock.clone());
        let secrets = Secrets::new([SECRET]).expect("it is long enough");
        let config = SessionConfig::new(Arc::new(store), secrets)
            .with_cookie(policy.clone())
            .with_clock(clock.clone())
            .with_expiry(Expiry::idle_and_absolute(LIFE, 20 * LIFE).expect("not zero"))
            .with_path_gating();
        Self { jar: Jar::default(), place, config: config.into(), clock, policy: policy.clone(), scope: scope.into() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().unix_millis() / 1000).expect("after 1970")
    }

    /// Does a request, whose handler sets a cookie of the session's name too, and returns what the browser then has.
    async fn request(&mut self, handler: impl FnOnce(&Session)) -> &[Kept] {
        let mut request = Request::new(());
        *request.uri_mut() = self.place.path.parse().expect("the path is one");
        if self.place.is_https {
            request.extensions_mut().insert(SecureConnection);
        }
        if let Some(cookies) = self.jar.header(&self.place, self.now()) {
            request.headers_mut().insert(header::COOKIE, cookies.parse().expect("what was stored can be sent"));
        }
        let slot = SessionSlot::for_request(self.config.clone(), &request);
        let session = slot.open(request.headers()).await.expect("the store works");
        handler(&session);

        let mut response = Response::new(());
        let of_handler = format!("{}=made-up{}", self.policy.name(), self.scope);
        response.headers_mut().insert(header::SET_COOKIE, of_handler.parse().expect("a header"));
        slot.commit().await.expect("the store works").apply_to(&mut response);
        let lines: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(lines.len(), 1, "one line per name: {lines:?}");
        assert_ne!(lines[0].as_bytes(), of_handler.as_bytes(), "the handler's own cookie is sent");
        let taken = self.jar.take(lines[0].as_bytes(), &self.place, self.now());
        assert_eq!(taken, Ok(()), "{:?} {:?}", lines[0].to_str(), self.policy);
        &self.jar.0
    }
}

/// Sets, logs in, and logs out, in a browser that keeps to the rules.
async fn walk(policy: &CookiePolicy, scope: &str, place: &Place, own_age: Option<Duration>) {
    let mut visitor = Visitor::new(policy, scope, place.clone());
    let start = visitor.now();
    let first = visitor
        .request(|session| {
            session.set("n", &1).expect("a number");
            if own_age.is_some() {
                session.set_max_age(own_age);
            }
        })
        .await
        .to_vec();
    let [kept] = &first[..] else { panic!("the browser has {first:?} of {policy:?}") };
    // S7: as long as was said, and no longer than the session itself.
    let life = own_age.unwrap_or(LIFE);
    let age = own_age.or(policy.max_age()).map(|age| age.min(life).as_secs());
    assert_eq!(kept.expires, age.map(|age| start + age), "{policy:?}");
    assert!(age.is_none_or(|age| (1..=400 * 24 * 60 * 60).contains(&age)));
    assert!(kept.is_http_only && kept.same_site != "default", "{kept:?}");
    assert!(kept.is_secure || !place.is_https || !policy_is_secure(policy), "{kept:?}");

    // It comes back, and the new id takes its place.
    let login = |session: &Session| {
        assert_eq!(session.get::<u8>("n").expect("a number"), Some(1), "the cookie does not come back");
        session.login("ada").expect("a short name is an owner");
    };
    let second = visitor.request(login).await.to_vec();
    let [replaced] = &second[..] else { panic!("the browser has {second:?} of {policy:?}") };
    assert_ne!(replaced.value, kept.value);
    let same = Kept { value: kept.value.clone(), expires: kept.expires, ..replaced.clone() };
    assert_eq!(&same, kept, "the same but for the value");

    let left = visitor.request(Session::logout).await;
    assert_eq!(left, [], "{policy:?}");
}

/// Writes the attributes that make a line one of the same cookie: a browser tells cookies apart by them, and by the
/// name.
fn scope(path: &str, domain: Option<&str>, is_partitioned: bool) -> String {
    let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    format!("; Path={path}{domain}{}", if is_partitioned { "; Partitioned" } else { "" })
}

/// Says whether a policy asks for `Secure` whenever it can, which is all that is asked over HTTPS.
fn policy_is_secure(policy: &CookiePolicy) -> bool {
    // A policy that is never secure can be made one that is partly so, and then differs.
    policy.to_builder().with_secure(SecurePolicy::Never).build().as_ref() != Ok(policy)
}

fn places(path: &str) -> [Place; 2] {
    [true, false].map(|is_https| Place { is_https, host: "shop.example.org".into(), path: path.into() })
}

#[tokio::test]
async fn every_combination_that_builds_is_stored_sent_back_and_removed() {
    let (mut built, mut refused) = (0, 0);
    for name in ["__Host-s", "__hOST-http-s", "__Secure-s", "__Http-s", "s"] {
        for domain in [None, Some("example.org"), Some("Shop.Example.org")] {
            for (path, visited) in [("/", "/x"), ("/app", "/app"), ("/app/", "/app/x")] {
                for secure in [SecurePolicy::Always, SecurePolicy::Auto, SecurePolicy::Never] {
                    for site in [SameSite::Lax, SameSite::Strict, SameSite::None] {
                        for (is_partitioned, priority) in [(false, None), (true, Some(Priority::High))] {
                            let mut builder = CookiePolicy::builder().with_name(name).with_path(path);
                            builder = builder.with_secure(secure).with_same_site(site);
                            builder = domain.into_iter().fold(builder, CookiePolicyBuilder::with_domain);
                            builder = priority.into_iter().fold(builder, CookiePolicyBuilder::with_priority);
                            builder = if is_partitioned { builder.with_partitioning() } else { builder };
                            let Ok(policy) = builder.clone().build() else {
                                refused += 1;
                                continue;
                            };
                            built += 1;
                            // A cookie that is always secure is for applications behind HTTPS.
                            let is_reached = |place: &Place| place.is_https || secure != SecurePolicy::Always;
                            for place in places(visited).iter().filter(|place| is_reached(place)) {
                                walk(&policy, &scope(path, domain, is_partitioned), place, None).await;
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(built > 150 && refused > 150, "{built} {refused}");
}

#[tokio::test]
async fn every_age_is_within_400_days_and_the_session() {
    let [place, _] = places("/");
    let ages =
        [Duration::from_secs(1), Duration::from_millis(1999), DAY, LIFE, 2 * LIFE, CookiePolicy::LONGEST_MAX_AGE];
    for age in ages.map(Some).into_iter().chain([None]) {
        let builder = age.into_iter().fold(CookiePolicy::builder(), CookiePolicyBuilder::with_max_age);
        let policy = builder.build().expect("the age is allowed");
        for own in ages.map(Some).into_iter().chain([None]) {
            walk(&policy, &scope("/", None, false), &place, own).await;
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }

    /// Makes a text of some of the pieces. One in eight is long, and one in four may have what cannot be there.
    fn text(&mut self, allowed: &[&str], refused: &[&str]) -> String {
        let length = [1, 2, 3, 4, 5, 8, 13, 3000][self.below(8)];
        let refused = if self.below(4) == 0 { refused } else { &[] };
        let pieces: Vec<&str> = allowed.iter().chain(refused).copied().collect();
        (0..length).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

#[tokio::test]
async fn whatever_name_path_and_domain_build_are_stored_sent_back_and_removed() {
    const NAMES: [&str; 11] = ["a", "Z9", "-", "_", "!", "#$%&'*+", "^`|~", "__Host-", "__Secure-", "__http-", "."];
    const PATHS: [&str; 9] = ["/", "/", "a", "//", ".", "..", "%2F", ",", "="];
    const LABELS: [&str; 6] = ["a", "B", "9", "xn--a", "a-b", "."];
    let (mut numbers, mut built) = (Numbers(1), 0);
    for _ in 0..4000 {
        let name = numbers.text(&NAMES, &[" ", "=", ";", "\"", "é"]);
        let path = if numbers.below(2) == 0 {
            format!("/{}", numbers.text(&PATHS, &[";", " ", "é", "\n"]))
        } else {
            "/".into()
        };
        let domain =
            (numbers.below(3) == 0).then(|| format!("{}.example.org", numbers.text(&LABELS, &["-", "_", "é"])));
        let builder = CookiePolicy::builder().with_name(name).with_path(&*path);
        let Ok(policy) = domain.iter().cloned().fold(builder, CookiePolicyBuilder::with_domain).build() else {
            continue;
        };
        built += 1;
        let [mut place, _] = places(&path);
        let scope = scope(&path, domain.as_deref(), false);
        place.host = domain.map_or(place.host, |domain| format!("www.{}", domain.to_ascii_lowercase()));
        walk(&policy, &scope, &place, None).await;
    }
    assert!(built > 300, "{built}");
}

#[test]
fn the_jar_refuses_what_browsers_refuse() {
    let [https, http] = places("/app/x");
    for (line, is_https) in [
        ("__Host-s=v; Path=/", true),
        ("__Host-s=v; Secure", true),
        ("__Host-s=v; Secure; Path=/; Domain=shop.example.org", true),
        ("__HOST-s=v; Secure; Path=/app", true),
        ("__Secure-s=v", true),
        ("__Http-s=v; Secure", true),
        ("__Host-Http-s=v; Secure; Path=/", true),
        ("s=v; Secure", false),
        ("s=v; SameSite=None", true),
        ("s=v; Partitioned", true),
        ("s=v; Domain=example.com", true),
        ("s=v; Domain=org", true),
        ("s=v; Domain=op.example.org", true),
        ("s=\u{1}", true),
        (&format!("s={}", "v".repeat(4096)), true),
        ("=v", true),
        ("v", true),
    ] {
        let mut jar = Jar::default();
        assert!(jar.take(line.as_bytes(), if is_https { &https } else { &http }, 7).is_err(), "{line}");
        assert!(jar.0.is_empty());
    }
    // What was set on one path is not removed on another, nor on the whole domain, nor by plain HTTP.
    let mut jar = Jar::default();
    jar.take(b"s=v; Path=/app; Secure; Max-Age=99999999999", &https, 7).expect("it is stored");
    assert_eq!(jar.0[0].expires, Some(7 + 400 * 24 * 60 * 60));
    jar.take(b"s=; Path=/; Max-Age=0", &https, 7).expect("it removes nothing");
    jar.take(b"s=; Path=/app; Domain=example.org; Max-Age=0", &https, 7).expect("it removes nothing");
    assert!(jar.take(b"s=; Path=/app; Max-Age=0", &http, 7).is_err());
    assert_eq!((jar.header(&https, 8).as_deref(), jar.header(&http, 8)), (Some("s=v"), None));
    let elsewhere = Place { path: "/apple".into(), ..https.clone() };
    assert_eq!(jar.header(&elsewhere, 8), None);
    jar.take(b"s=; Path=/app; Max-Age=0", &https, 8).expect("it removes");
    assert!(jar.0.is_empty());
}
