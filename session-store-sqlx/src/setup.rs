//! Setting up: look first, and make what is missing where only one does it at a time.

use session_core::{Error, Result};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::database::Driver;
use crate::error::{refusal, setup_refusal};
use crate::layout::Missing;
use crate::sql::{Bound, Statement};
use crate::table::TableName;

/// Verifies the layout of a table, and makes what is missing if that is wanted. Nothing is locked if nothing is missing.
///
/// After an error the connection is not to be used again: what was begun on it is undone when it is closed.
pub(crate) async fn set_up<DB: Driver>(connection: &mut DB::Connection, table: &TableName, makes: bool) -> Result<()> {
    let layout = DB::LAYOUT;
    match look::<DB>(connection, table).await {
        Ok(Missing::Nothing) => return Ok(()),
        // A table that is just being made may look like anything.
        _ if makes => {}
        Ok(missing) => return layout.refusal(&missing).map_or(Ok(()), |refusal| Err(refusal.into())),
        Err(error) => return Err(error),
    }
    run::<DB>(connection, layout.begin).await.map_err(refusal::<DB>)?;
    let missing = look::<DB>(connection, table).await?;
    for text in layout.making(&missing) {
        make::<DB>(connection, table, text).await?;
    }
    let missing = look::<DB>(connection, table).await?;
    if let Some(refusal) = layout.refusal(&missing) {
        return Err(refusal.into());
    }
    run::<DB>(connection, layout.commit).await.map_err(refusal::<DB>)
}

/// Returns what makes a new table, for those who let migrations create theirs.
pub(crate) fn schema_sql<DB: Driver>(table: &TableName) -> String {
    let texts = DB::LAYOUT.making(&Missing::Table);
    texts.iter().map(|text| format!("{};\n", table.fill(text, &DB::SPELLING))).collect()
}

async fn make<DB: Driver>(connection: &mut DB::Connection, table: &TableName, text: &str) -> Result<()> {
    let sql = table.fill(text, &DB::SPELLING);
    let Err(error) = run::<DB>(connection, &sql).await else { return Ok(()) };
    // The index of a table that was renamed has the name still, where its name has to be said.
    let other = text.replacen("__expiry", "__expiry2", 1).replacen("__owner", "__owner2", 1);
    if other == text || !error.to_string().contains("already exists") {
        return Err(setup_refusal::<DB>(error));
    }
    run::<DB>(connection, &table.fill(&other, &DB::SPELLING)).await.map_err(setup_refusal::<DB>)
}

async fn look<DB: Driver>(connection: &mut DB::Connection, table: &TableName) -> Result<Missing> {
    let statement = Statement::new(DB::LAYOUT.catalogue, table, &DB::SPELLING);
    let place = [Bound::Text(Some(table.name())), Bound::Text(table.schema())];
    let text = statement.with_literals(|value| DB::literal(place[value.min(1)]));
    let mut answers = Vec::new();
    let sql = AssertSqlSafe(text).into_sql_str();
    DB::run(connection, sql, None, &mut answers).await.map_err(refusal::<DB>)?;
    let mut lines = Vec::new();
    for row in answers.iter().flat_map(|answer| &answer.rows) {
        lines.extend(DB::text(row, 0).map_err(refusal::<DB>)?.map(str::to_owned));
    }
    DB::LAYOUT.missing(&lines).map_err(Error::from)
}

async fn run<DB: Driver>(connection: &mut DB::Connection, text: &str) -> sqlx::Result<()> {
    // The only text that is not the crate's own is the table's name, which is checked and quoted.
    DB::run(connection, AssertSqlSafe(text.to_owned()).into_sql_str(), None, &mut Vec::new()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_every_schema() {
        let table = TableName::sessions();
        for schema in [
            #[cfg(feature = "sqlite")]
            schema_sql::<sqlx::Sqlite>(&table),
            #[cfg(feature = "postgres")]
            schema_sql::<sqlx::Postgres>(&table),
            #[cfg(feature = "mysql")]
            schema_sql::<sqlx::MySql>(&table),
        ] {
            assert!(include_str!("../README.md").contains(&schema), "{schema}");
        }
    }
}
