//! The layout of a table: what `setup` makes and `verify` wants to see.
//!
//! What there is, is read from the database's catalogue as lines, `column owner: text` or `index (sweep_at)`, and compared with
//! the lines that this version needs. Indexes are known by what they index: after a table was renamed they have its old name.

use session_core::LayoutError;

/// What a table of sessions looks like in one database.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The number of the layout, which stands in the database too.
    pub(crate) number: u32,
    /// Asks for a line for each column and index of a table. `$1` is its name, `$2` its schema, or `NULL` where the database
    /// looks first.
    pub(crate) catalogue: &'static str,
    /// The lines of the columns.
    pub(crate) columns: &'static [&'static str],
    /// The lines of the indexes, and what makes each.
    pub(crate) indexes: &'static [(&'static str, &'static str)],
    /// Makes a table with all that belongs to it.
    pub(crate) table: &'static [&'static str],
    /// Writes down the number.
    pub(crate) numbering: &'static str,
    /// The steps, from layout 1 to 2 and so on.
    pub(crate) steps: &'static [&'static str],
    /// Lets one set up at a time; a connection that is closed has undone it.
    pub(crate) begin: &'static str,
    pub(crate) commit: &'static str,
}

/// What has to be done to a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Nothing,
    Table,
    /// The indexes of these places, and the steps from this layout on.
    Parts {
        indexes: Vec<usize>,
        from: u32,
    },
}

impl Layout {
    /// Decides what a table lacks, or why it is not one of ours.
    pub(crate) fn missing(&self, found: &[String]) -> Result<Missing, LayoutError> {
        // What counts the layouts may be left of a table that was renamed.
        if found.iter().all(|line| line.starts_with("layout ")) {
            return Ok(Missing::Table);
        }
        let has = |line: &str| found.iter().any(|found| found == line);
        let starts = |start: &str| found.iter().any(|found| found.starts_with(start));
        // No other program's table has all three.
        if !["session_key", "revision", "format"].iter().all(|name| starts(&format!("column {name}:"))) {
            return Err(LayoutError::Foreign);
        }
        let number = found.iter().find_map(|line| line.strip_prefix("layout ")?.parse().ok());
        // A table that was made before layouts had numbers.
        let from = number.unwrap_or(1);
        if from > self.number {
            return Err(LayoutError::Newer { found: from, known: self.number });
        }
        if self.steps.iter().skip(from.max(1) as usize - 1).all(|step| step.is_empty())
            && let Some(line) = self.columns.iter().find(|line| !has(line))
        {
            return Err(LayoutError::Incomplete { part: (*line).to_owned() });
        }
        let indexes: Vec<usize> = (0..self.indexes.len()).filter(|place| !has(self.indexes[*place].0)).collect();
        // What no statement can make once the table is there.
        if let Some(place) = indexes.iter().find(|place| self.indexes[**place].1.is_empty()) {
            return Err(LayoutError::Incomplete { part: self.indexes[*place].0.to_owned() });
        }
        if indexes.is_empty() && from == self.number {
            Ok(Missing::Nothing)
        } else {
            Ok(Missing::Parts { indexes, from })
        }
    }

    /// Says how `verify` tells of it.
    pub(crate) fn refusal(&self, missing: &Missing) -> Option<LayoutError> {
        match missing {
            Missing::Nothing => None,
            Missing::Table => Some(LayoutError::Absent),
            Missing::Parts { from, .. } if *from < self.number => {
                Some(LayoutError::Older { found: *from, needed: self.number })
            }
            Missing::Parts { indexes, .. } => {
                let part = indexes.first().map_or_else(String::new, |place| self.indexes[*place].0.to_owned());
                Some(LayoutError::Incomplete { part })
            }
        }
    }

    /// Returns what makes it, one statement after the other.
    pub(crate) fn making(&self, missing: &Missing) -> Vec<&'static str> {
        let (indexes, from) = match missing {
            Missing::Nothing => return Vec::new(),
            Missing::Table => return self.table.to_vec(),
            Missing::Parts { indexes, from } => (indexes, *from),
        };
        let mut texts: Vec<_> = self.steps.iter().skip(from.max(1) as usize - 1).copied().collect();
        texts.extend(indexes.iter().map(|place| self.indexes[*place].1));
        if from < self.number {
            texts.push(self.numbering);
        }
        texts.retain(|text| !text.is_empty());
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        number: 2,
        catalogue: "",
        columns: &["column session_key: text", "column revision: int", "column format: int", "column data: text"],
        indexes: &[("index unique (session_key)", ""), ("index (sweep_at)", "make the index")],
        table: &["make the table", "write the number"],
        numbering: "write the number",
        steps: &["take the step"],
        begin: "",
        commit: "",
    };

    fn found(leave: &[&str], add: &[&str]) -> Vec<String> {
        let all = LAYOUT.columns.iter().chain(LAYOUT.indexes.iter().map(|(line, _)| line)).chain(&["layout 2"]);
        all.filter(|line| !leave.contains(line)).chain(add).map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn each_state_of_a_table_is_told_from_the_others() {
        let missing = |leave: &[&str], add: &[&str]| LAYOUT.missing(&found(leave, add));
        let parts = |indexes: &[usize], from| Ok(Missing::Parts { indexes: indexes.to_vec(), from });
        let incomplete = |part: &str| Err(LayoutError::Incomplete { part: part.to_owned() });
        assert_eq!(LAYOUT.missing(&[]), Ok(Missing::Table));
        assert_eq!(LAYOUT.missing(&["layout 2".to_owned()]), Ok(Missing::Table));
        assert_eq!(missing(&[], &[]), Ok(Missing::Nothing));
        assert_eq!(missing(&[], &["column label: text", "index (label)"]), Ok(Missing::Nothing));
        assert_eq!(missing(&["column revision: int"], &[]), Err(LayoutError::Foreign));
        assert_eq!(missing(&["layout 2"], &["layout 3"]), Err(LayoutError::Newer { found: 3, known: 2 }));
        assert_eq!(missing(&["layout 2"], &[]), parts(&[], 1));
        assert_eq!(missing(&["index (sweep_at)"], &[]), parts(&[1], 2));
        assert_eq!(missing(&["column data: text"], &["column data: int"]), incomplete("column data: text"));
        assert_eq!(missing(&["index unique (session_key)"], &[]), incomplete("index unique (session_key)"));
    }

    #[test]
    fn what_is_missing_is_made_or_told() {
        let (indexes, older) =
            (Missing::Parts { indexes: vec![1], from: 2 }, Missing::Parts { indexes: vec![], from: 1 });
        assert_eq!(LAYOUT.making(&Missing::Table), ["make the table", "write the number"]);
        assert_eq!(LAYOUT.making(&indexes), ["make the index"]);
        assert_eq!(LAYOUT.making(&older), ["take the step", "write the number"]);
        assert_eq!(LAYOUT.refusal(&Missing::Table), Some(LayoutError::Absent));
        assert_eq!(LAYOUT.refusal(&older), Some(LayoutError::Older { found: 1, needed: 2 }));
        let part = "index (sweep_at)".to_owned();
        assert_eq!(LAYOUT.refusal(&indexes), Some(LayoutError::Incomplete { part }));
        assert_eq!(LAYOUT.refusal(&Missing::Nothing), None);
    }
}
