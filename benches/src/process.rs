//! The HTTP side without a network: a router is asked in this process, on one thread.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, header};
use tower::ServiceExt;

use crate::results::{Results, median};
use crate::{Outcome, allocations, apps};

/// The paths of the application, as the tables call them.
pub const PATHS: [&str; 3] = ["untouched", "read", "write"];

const SESSIONS: usize = 1000;
const REQUESTS: usize = 2000;

/// An application with the cookies of its sessions.
struct Stand {
    name: &'static str,
    app: Router,
    cookies: Vec<String>,
}

/// Measures all applications with sessions in memory, in turns.
pub async fn measure(results: &mut Results, rounds: usize) -> Outcome<()> {
    let mut stands = Vec::new();
    for name in apps::APPS {
        let Some(app) = apps::app(name, None).await? else { continue };
        let mut cookies = Vec::new();
        for _ in 0..SESSIONS {
            cookies.push(if name == "bare" { "a=b".to_owned() } else { seed(&app).await? });
        }
        stands.push(Stand { name, app, cookies });
    }
    for path in PATHS {
        let mut times = vec![Vec::new(); stands.len()];
        let mut counts = vec![(0.0, 0.0); stands.len()];
        for round in 0..=rounds {
            for place in 0..stands.len() {
                let place = (place + round) % stands.len();
                let (micros, calls, bytes) = run(&stands[place], path).await?;
                // The first round warms up.
                if round > 0 {
                    times[place].push(micros);
                    counts[place] = (calls, bytes);
                }
            }
        }
        let bare = median(&times[0]);
        for ((stand, times), (calls, bytes)) in stands.iter().zip(&times).zip(&counts) {
            let time = median(times);
            let table = format!("In process: {path}");
            let spread = 100.0 * (quantile(times, 0.75) - quantile(times, 0.25)) / time;
            results.add(&table, stand.name, "µs for a request", format!("{time:.2}"));
            results.add(&table, stand.name, "more than bare", format!("{:+.2}", time - bare));
            results.add(&table, stand.name, "allocations", format!("{calls:.0}"));
            results.add(&table, stand.name, "more than bare ", format!("{:+.0}", calls - counts[0].0));
            results.add(&table, stand.name, "bytes", format!("{bytes:.0}"));
            results.add(&table, stand.name, "spread", format!("{spread:.0} %"));
        }
        eprintln!("in process: {path}");
    }
    Ok(())
}

fn quantile(numbers: &[f64], at: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len() - 1) as f64 * at) as usize).copied().unwrap_or_default()
}

async fn run(stand: &Stand, path: &str) -> Outcome<(f64, f64, f64)> {
    let uri = format!("/{path}");
    // Requests are made before the clock runs.
    let mut requests = Vec::with_capacity(REQUESTS);
    for number in 0..REQUESTS {
        requests.push(request(&uri, &stand.cookies[number % SESSIONS])?);
    }
    let (before, start) = (allocations::of_this_thread(), Instant::now());
    for request in requests {
        let response = stand.app.clone().oneshot(request).await?;
        if black_box(&response).status() != 200 {
            return Err(format!("{}: {uri} was answered with {}", stand.name, response.status()).into());
        }
    }
    let (time, after) = (start.elapsed(), allocations::of_this_thread());
    let each = |number: u64| number as f64 / REQUESTS as f64;
    Ok((time.as_secs_f64() * 1e6 / REQUESTS as f64, each(after.0 - before.0), each(after.1 - before.1)))
}

fn request(uri: &str, cookie: &str) -> Outcome<Request<Body>> {
    let mut request = Request::builder().uri(uri).header(header::COOKIE, cookie).body(Body::empty())?;
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
    Ok(request)
}

/// Begins a session and returns its cookies.
async fn seed(app: &Router) -> Outcome<String> {
    let response = app.clone().oneshot(request("/seed", "a=b")?).await?;
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs: Vec<&str> = lines.filter_map(|line| line.to_str().ok()?.split(';').next()).collect();
    if pairs.is_empty() { Err("no cookie was set".into()) } else { Ok(pairs.join("; ")) }
}
