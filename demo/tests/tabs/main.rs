//! Browsers with three tabs that shop and log in at once, against running demos: what was answered with success counts.
//!
//! What a test counts, it prints. A large run, and one of several processes on one store, which are asked by turns:
//!
//! ```sh
//! export SESSION_TEST_TABS='browsers=12 rounds=10 steps=34'
//! cargo test -p demo --test tabs -- --nocapture --test-threads 1
//! SESSION_TEST_TABS='processes=2 store=redis://127.0.0.1' cargo test -p demo --test tabs -- --nocapture
//! ```
//!
//! `settings.rs` knows the other words, `at=URL` among them: servers that run already and have the demo's addresses.

#![allow(clippy::unwrap_used, reason = "a test that cannot do its own errands fails")]

mod browser;
mod random;
mod servers;
mod settings;
#[path = "../browser/support.rs"]
#[allow(dead_code, reason = "of what the other tests need, only the server is needed here")]
mod support;
mod tally;
mod visits;

use std::thread;

use servers::Servers;
use settings::Settings;
use tally::Tally;
use visits::Visit;

/// Lets all browsers make their visits at the same time, and counts what became of them.
fn count(title: &str, kind: u64, visit: fn(&Visit)) -> Tally {
    let settings = Settings::read();
    let servers = Servers::start(&settings);
    let all_visits_of = |browser: u64| {
        let mut sum = Tally::default();
        for round in 0..settings.rounds {
            let one = Visit::new(&servers.urls, &settings, [kind, browser, round]);
            visit(&one);
            sum += one.into_tally();
        }
        sum
    };
    let mut sum = Tally::default();
    thread::scope(|scope| {
        let browsers: Vec<_> =
            (0..settings.browsers).map(|number| scope.spawn(move || all_visits_of(number))).collect();
        for browser in browsers {
            sum += browser.join().unwrap();
        }
    });
    println!("{title}\n{sum}");
    sum
}

#[test]
fn what_three_tabs_shop_while_they_log_in_is_in_the_cart() {
    count("Three tabs shop and log in", 1, visits::shop).assert_clean();
}

#[test]
fn a_login_whose_answer_is_lost_can_be_made_again() {
    count("A login's answer is lost, and the user logs in again", 2, visits::lose_an_answer).assert_clean();
}

#[test]
fn a_login_form_that_is_sent_twice_is_one_login() {
    count("A login form is sent twice at once", 3, visits::click_twice).assert_clean();
}

#[test]
fn no_cookie_from_before_a_logout_lets_in() {
    count("Three tabs shop and log in, and the user logs out", 4, visits::log_out).assert_clean();
}
