//! The rules, read from the contract itself, so that the suite cannot say anything else than the contract does.

use std::sync::LazyLock;

use session_core::contract;

/// How binding a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// Holds on every store; cannot be waived.
    Must,
    /// May be waived by a store for a reason that lies in its backend.
    Should,
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// One numbered rule of the [contract](session_core::contract).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The rule's name, as in `UPDATE-02`.
    pub id: &'static str,
    /// How binding it is.
    pub requirement: Requirement,
    /// What it says, on one line.
    pub text: String,
    /// The heading of the contract under which it is written.
    pub section: &'static str,
}

impl Rule {
    /// Returns the rules in the order of the contract.
    pub fn all() -> &'static [Rule] {
        static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| parse(contract::TEXT));
        &RULES
    }

    /// Returns the rule of that name, or `None` if the contract has none.
    pub fn find(id: &str) -> Option<&'static Rule> {
        Self::all().iter().find(|rule| rule.id == id)
    }
}

/// Reads the lines `- **ID** (MUST) text`, continued on indented lines, under their `## ` headings.
fn parse(contract: &'static str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut section = "";
    let mut is_inside = false;
    for line in contract.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        if let Some((id, requirement, text)) = parse_first_line(line) {
            rules.push(Rule { id, requirement, text: text.to_owned(), section });
            is_inside = true;
        } else if let (true, Some(more), Some(rule)) = (is_inside, line.strip_prefix("  "), rules.last_mut()) {
            rule.text.push(' ');
            rule.text.push_str(more);
        } else {
            is_inside = false;
        }
    }
    rules
}

fn parse_first_line(line: &'static str) -> Option<(&'static str, Requirement, &'static str)> {
    let (id, rest) = line.strip_prefix("- **")?.split_once("** ")?;
    if let Some(text) = rest.strip_prefix("(MUST) ") {
        Some((id, Requirement::Must, text))
    } else {
        Some((id, Requirement::Should, rest.strip_prefix("(SHOULD) ")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_contract_is_read() {
        let marked = contract::TEXT.lines().filter(|line| line.starts_with("- **")).count();
        assert_eq!(Rule::all().len(), marked);
        let rule = Rule::find("UPDATE-05").expect("the contract has this rule");
        assert_eq!((rule.requirement, rule.section), (Requirement::Must, "Update"));
        assert!(rule.text.starts_with("Of 16 updates") && rule.text.ends_with("is stored."), "{}", rule.text);
        assert_eq!(Rule::find("SWEEP-04").map(|rule| rule.requirement), Some(Requirement::Should));
    }
}
