//! The cases of express-session's own tests (1.19: `test/session.js` and `test/cookie.js`), one by one, by their names.
//!
//! `suite/names.txt` has them all. Each is here and passes, is here and shows what is different, or has no counterpart; what differs and what has none is named
//! in `docs/express.md` with the reason, and a test counts.

mod suite {
    pub(crate) mod cookie;
    pub(crate) mod options;
    pub(crate) mod proxies;
    pub(crate) mod requests;
    pub(crate) mod server;
    pub(crate) mod session;
    #[path = "../support/store.rs"]
    #[allow(dead_code, reason = "each test file uses a part of it")]
    pub(crate) mod store;
}

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, what it does, and whether what comes of it is the same in Express.
pub(crate) struct Case {
    name: String,
    run: Box<dyn FnOnce() + Send>,
    is_same: bool,
}

/// A case that ends as in Express.
pub(crate) fn it(name: &str, run: impl AsyncFnOnce() + Send + 'static) -> Case {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build();
    let run = move || runtime().expect("the test machine has threads").block_on(run());
    Case { name: name.into(), run: Box::new(run), is_same: true }
}

/// A case that ends otherwise here, and how.
pub(crate) fn differs(name: &str, run: impl AsyncFnOnce() + Send + 'static) -> Case {
    Case { is_same: false, ..it(name, run) }
}

/// Cases under one heading.
pub(crate) fn describe(heading: &str, cases: Vec<Case>) -> impl Iterator<Item = Case> {
    cases.into_iter().map(move |case| Case { name: format!("{heading} > {}", case.name), ..case })
}

fn main() -> ExitCode {
    let cases: Vec<_> = [
        suite::requests::cases(),
        suite::proxies::cases(),
        suite::options::cases(),
        suite::session::cases(),
        suite::cookie::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names = |is_same| cases.iter().filter(|case| case.is_same == is_same).map(|case| case.name.clone()).collect();
    let (same, different): (Vec<_>, Vec<_>) = (names(true), names(false));
    let count = Trial::test("all_160_cases_pass_or_are_named_with_a_reason", move || count(&same, &different));
    let trials = cases.into_iter().map(|case| {
        Trial::test(case.name, || {
            (case.run)();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.chain([count]).collect()).exit_code()
}

/// Holds the list of all cases against those that pass and those that the page names.
fn count(same: &[String], different: &[String]) -> Result<(), Failed> {
    let listed = include_str!("suite/names.txt").lines();
    let page = include_str!("../docs/express.md");
    let (_, named) = page.split_once("# Cases of its own tests").ok_or("the page has no such part")?;
    let (named, _) = named.split_once("\n# ").ok_or("the part has no end")?;
    let named: Vec<_> = named.split('`').filter(|text| text.contains(" > ")).map(str::to_owned).collect();
    let unnamed: BTreeSet<_> = different.iter().filter(|name| !named.contains(name)).collect();
    let (mut there, mut here): (Vec<_>, Vec<_>) =
        (listed.map(str::to_owned).collect(), same.iter().chain(&named).cloned().collect());
    there.sort();
    here.sort();
    let says_so = page.contains(&format!("{} pass here", same.len()));
    if there.len() == 160 && there == here && unnamed.is_empty() && says_so {
        return Ok(());
    }
    let missing: Vec<_> = there.iter().filter(|name| !here.contains(name)).collect();
    let unknown: Vec<_> = here.iter().filter(|name| !there.contains(name)).collect();
    let counts = format!("{} of {}, {} pass and {} are named", there.len(), 160, same.len(), named.len());
    Err(format!("{counts}; missing: {missing:#?}; unknown: {unknown:#?}; different and not named: {unnamed:#?}").into())
}
