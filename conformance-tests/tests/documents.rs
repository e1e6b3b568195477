//! What the documents say about tests is so: each test that they name is in the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is around this package")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect("the document is there")
}

/// Returns the Rust files of all packages, but what was built.
fn sources() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is ours").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_built = path.join("CACHEDIR.TAG").is_file() || name.to_string_lossy().starts_with('.');
            if path.is_dir() && !is_built && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Returns every test as `file::function`. A folder's `main.rs` or `mod.rs` has the folder's name.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for path in sources() {
        let file = path.file_stem().expect("it has a name").to_string_lossy();
        let source = fs::read_to_string(&path).expect("a source is text");
        for test in source.split("#[test]").skip(1).chain(source.split("#[tokio::test").skip(1)) {
            let name = test.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a test is a function");
            tests.insert(format!("{file}::{name}"));
        }
    }
    tests
}

/// Returns what stands between backticks and looks like a test: `file::function`, where the function may end in `…`.
fn cited(document: &str) -> Vec<&str> {
    let is_word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_lowercase() || c.is_numeric() || "_…".contains(c));
    let is_test = |text: &&str| text.split_once("::").is_some_and(|(file, test)| is_word(file) && is_word(test));
    document.split('`').skip(1).step_by(2).filter(is_test).collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests();
    for name in ["security.md", "anomalies.md"] {
        let document = document(name);
        let cited = cited(&document);
        assert!(cited.len() > 10, "{name} names {} tests", cited.len());
        for test in cited {
            let exists = match test.strip_suffix('…') {
                Some(beginning) => tests.iter().any(|test| test.starts_with(beginning)),
                None => tests.contains(test),
            };
            assert!(exists, "{name} names {test}, and there is no such test");
        }
    }
}

#[test]
fn every_requirement_and_every_anomaly_has_its_row() {
    for (name, letter, last) in [("security.md", 'S', 23), ("anomalies.md", 'A', 20)] {
        let document = document(name);
        for number in 1..=last {
            let row = format!("\n| {letter}{number} |");
            let row = document.split(&row).nth(1).and_then(|rest| rest.lines().next());
            let row = row.unwrap_or_else(|| panic!("{name} has no row {letter}{number}"));
            assert!(letter == 'A' || !cited(row).is_empty(), "{name}: {letter}{number} has no test");
        }
    }
}

#[test]
fn every_file_that_a_document_links_to_exists() {
    for name in ["security.md", "anomalies.md"] {
        let document = document(name);
        for link in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(link.contains("://") || root().join("docs").join(link).exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn s23_no_package_of_the_workspace_allows_unsafe_code() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    assert!(workspace.contains("\nunsafe_code = \"forbid\"\n"));
    let members = workspace.split("\nmembers = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 10, "{members:?}");
    for member in members {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a member has one");
        assert!(manifest.contains("\n[lints]\nworkspace = true"), "{member} does not have the workspace's lints");
    }
}
