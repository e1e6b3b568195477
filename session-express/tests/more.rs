//! More requests that Express was given, and what came of them, recorded by `tests/node/record.js` and replayed.

#[path = "recorded/replay.rs"]
mod replay;

use serde_json::Value;

/// Reads the recording, in which what occurs often is one character.
fn recorded() -> Value {
    let text = include_str!("recorded/more.json");
    let head: Value =
        serde_json::from_str(&format!("{}]}}", text.lines().next().expect("it has a head"))).expect("it is JSON");
    let words = head["words"].as_object().expect("it has words");
    let (head, cases) = text.split_once('\n').expect("it has cases");
    let cases =
        words.iter().fold(cases.to_owned(), |cases, (short, word)| cases.replace(short, replay::options::text(word)));
    serde_json::from_str(&format!("{head}\n{cases}")).expect("it is JSON")
}

#[tokio::test]
async fn every_request_ends_as_in_express() {
    let recorded = recorded();
    let cases = replay::options::list(&recorded["cases"]);
    assert!(cases.len() > 1300, "{}", cases.len());
    let mut different = Vec::new();
    for case in cases {
        if let Err(difference) = replay::compare(&case[0], &case[1]).await {
            different.push(format!("{}\n  {difference}", case[0]));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), cases.len(), different.join("\n"));
}
