//! The plot: for every store, ours and the best of the others, as a part of what the raw driver does.

use std::fmt::Write as _;

use super::stores::{SIZE, TASKS, best_peer, find, of_raw};
use crate::results::{Call, OURS, Results, STORES};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 90.0;
const BAR: f64 = 13.0;
/// What the raw driver does ends here; what is faster goes on.
const UNIT: f64 = 420.0;

/// Draws it.
pub fn svg(results: &Results) -> String {
    let stores: Vec<&str> = STORES
        .into_iter()
        .filter(|store| !store.ends_with("-synced") && find(results, store, OURS, Call::Load, SIZE, TASKS).is_some())
        .collect();
    let row = BAR * 4.0 + 20.0;
    let height = 70.0 + row * stores.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{} KiB, {TASKS} tasks: speed as a part of the raw driver's</text>\n",
        SIZE / 1024
    );
    for (place, (name, colour)) in [("ours", "#1f6f8b"), ("the fastest peer", "#d9a441")].into_iter().enumerate() {
        let x = LEFT + 130.0 * place as f64;
        let _ = write!(
            text,
            "<rect x=\"{x}\" y=\"30\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"40\">{name}</text>\n",
            x + 18.0
        );
    }
    for (place, store) in stores.iter().enumerate() {
        let top = 60.0 + row * place as f64;
        let _ = writeln!(text, "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{store}</text>", top + BAR * 2.0 + 4.0);
        for (line, call) in [Call::Load, Call::Update].into_iter().enumerate() {
            let y = top + line as f64 * (BAR * 2.0 + 4.0);
            if let Some((ratio, _)) = of_raw(results, store, OURS, call, SIZE, TASKS) {
                bar(&mut text, y, ratio, "#1f6f8b", call.name());
            }
            if let Some((ratio, peer)) = best_peer(results, store, call, SIZE, TASKS) {
                bar(&mut text, y + BAR, ratio, "#d9a441", &format!("{}, {peer}", call.name()));
            }
        }
    }
    let x = LEFT + UNIT;
    let _ = write!(
        text,
        "<line x1=\"{x}\" x2=\"{x}\" y1=\"50\" y2=\"{}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n\
         <text x=\"{}\" y=\"46\" fill=\"#555\">raw driver</text>\n</svg>\n",
        height - 8.0,
        x - 28.0
    );
    text
}

fn bar(text: &mut String, y: f64, ratio: f64, colour: &str, label: &str) {
    let width = (ratio * UNIT).clamp(1.0, WIDTH - LEFT - 190.0);
    let goes_on = if ratio * UNIT > width { " →" } else { "" };
    let _ = write!(
        text,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10\">{ratio:.2}{goes_on} {label}</text>\n",
        BAR - 1.0,
        LEFT + width + 5.0,
        y + BAR - 3.5
    );
}
