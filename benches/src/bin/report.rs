//! Writes the report: `report RESULTS FOLDER [VERSIONS]` makes `performance.md` and `performance.svg` in the folder, and prints the
//! README's table. VERSIONS are lines, each a program and its version.

use std::fs;
use std::path::Path;

use session_benches::results::Results;
use session_benches::{Outcome, report};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder, versions @ ..] = &*arguments else {
        return Err("usage: report RESULTS FOLDER [VERSIONS]".into());
    };
    let (mut results, folder) = (Results::read(Path::new(file))?, Path::new(folder));
    for line in versions.iter().flat_map(|lines| lines.lines()) {
        if let Some((name, version)) = line.split_once(' ') {
            results.facts.insert(format!("program {name}"), version.to_owned());
        }
    }
    results.write(Path::new(file))?;
    fs::write(folder.join("performance.md"), report::markdown(&results))?;
    fs::write(folder.join("performance.svg"), report::plot::svg(&results))?;
    print!("{}", report::stores::summary(&results));
    Ok(())
}
