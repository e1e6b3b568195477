//! Random changes of two requests that loaded the same session: what is stored in the end is what a small model says, name by name.

use std::collections::BTreeMap;

use session_http::Session;

use crate::support::App;

/// What a request does to one of a few names.
#[derive(Debug, Clone, Copy)]
enum Change {
    Set(u8, u32),
    Remove(u8),
    Add(u8, u32),
    Clear,
}

type Values = BTreeMap<String, u32>;

/// Numbers from a seed, so that a failure repeats.
struct Seed(u64);

impl Seed {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn change(&mut self) -> Change {
        let name = u8::try_from(self.below(4)).unwrap_or_default();
        let value = u32::try_from(self.below(3)).unwrap_or_default();
        match self.below(9) {
            0..3 => Change::Set(name, value),
            3..5 => Change::Remove(name),
            5..8 => Change::Add(name, value),
            _ => Change::Clear,
        }
    }
}

fn name(number: u8) -> String {
    format!("n{number}")
}

fn make(session: &Session, change: Change) {
    match change {
        Change::Set(number, value) => session.set(&name(number), &value).expect("a number is JSON"),
        Change::Remove(number) => session.remove(&name(number)),
        Change::Add(number, value) => {
            session.modify(&name(number), move |n: &mut u32| *n += value).expect("it is a number");
        }
        Change::Clear => session.clear(),
    }
}

fn apply(values: &mut Values, change: Change) {
    match change {
        Change::Set(number, value) => drop(values.insert(name(number), value)),
        Change::Remove(number) => drop(values.remove(&name(number))),
        // A closure that changes nothing stores nothing.
        Change::Add(_, 0) => {}
        Change::Add(number, value) => *values.entry(name(number)).or_default() += value,
        Change::Clear => values.clear(),
    }
}

/// What a request's changes make of what another one stored: those of a name are made again, unless they ended as they began.
fn merged(loaded: &Values, changes: &[Change], stored: &Values) -> Values {
    let clears = changes.iter().rposition(|change| matches!(change, Change::Clear));
    let mut result = if clears.is_some() { Values::new() } else { stored.clone() };
    let since = &changes[clears.map_or(0, |place| place + 1)..];
    for number in 0..4 {
        let name = name(number);
        let of_name = |change: &&Change| matches!(change, Change::Set(n, _) | Change::Remove(n) | Change::Add(n, _) if *n == number);
        let before = if clears.is_some() { None } else { loaded.get(&name).copied() };
        let mut seen: Values = before.map(|value| (name.clone(), value)).into_iter().collect();
        // What was done since the name was last as it was loaded; after a removal that counts at the end only.
        let (mut open, mut was_removed) = (Vec::new(), false);
        for change in since.iter().filter(of_name) {
            let unchanged = seen.clone();
            apply(&mut seen, *change);
            if seen != unchanged {
                open.push(*change);
                was_removed |= matches!(change, Change::Remove(_));
            }
            let is_absent_again = before.is_none() && seen.is_empty();
            if clears.is_none() && seen.get(&name).copied() == before && (is_absent_again || !was_removed) {
                (open, was_removed) = (Vec::new(), false);
            }
        }
        if clears.is_none() && seen.get(&name).copied() == before {
            open.clear();
        }
        let mut of_result: Values = result.remove_entry(&name).into_iter().collect();
        open.into_iter().for_each(|change| apply(&mut of_result, change));
        result.extend(of_result);
    }
    result
}

async fn stored(app: &App, browser: &crate::support::Browser) -> Values {
    let session = app.visit(browser).open().await;
    let mut values: Values = session.values().expect("all are numbers");
    values.remove("keeps");
    values
}

#[tokio::test]
async fn two_requests_of_random_changes_leave_what_the_model_says() {
    for seed in 0..3_000 {
        let mut random = Seed(seed);
        let app = App::new();
        let mut browser = app.browser().await;
        app.request(&mut browser, async |session| {
            session.clear();
            // With an owner it is not destroyed when it is empty.
            session.login("ada").expect("a short name is an owner");
            for number in 0..4 {
                if random.below(2) == 0 {
                    session
                        .set(&name(number), &u32::try_from(random.below(3)).unwrap_or_default())
                        .expect("it is JSON");
                }
            }
        })
        .await;
        let loaded = stored(&app, &browser).await;
        let (fast, slow) = (app.visit(&browser), app.visit(&browser));
        let (of_fast, of_slow) = (fast.open().await, slow.open().await);
        let changes = |random: &mut Seed| (0..=random.below(4)).map(|_| random.change()).collect::<Vec<_>>();
        let (first, second) = (changes(&mut random), changes(&mut random));
        first.iter().for_each(|change| make(&of_fast, *change));
        second.iter().for_each(|change| make(&of_slow, *change));
        assert_eq!(
            (fast.finish().await.status(), slow.finish().await.status()),
            (http::StatusCode::OK, http::StatusCode::OK)
        );
        let between = merged(&loaded, &first, &loaded);
        let expected = merged(&loaded, &second, &between);
        assert_eq!(stored(&app, &browser).await, expected, "seed {seed}: {loaded:?}, then {first:?} and {second:?}");
    }
}
