//! How SQLite runs the statements.

use sqlx::{AssertSqlSafe, Row};

use super::{Folder, reader_pool};
use crate::SqliteStore;
use crate::statement::Statement;

/// How SQLite runs a statement, in its own words.
async fn plan(store: &SqliteStore, statement: &Statement) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql().as_str());
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(reader_pool(store)).await.expect("the statement is sound");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn no_statement_but_the_count_of_all_goes_through_the_whole_table() {
    let folder = Folder::new();
    let store = folder.store().await;
    let statements = store.statements();
    for (name, statement) in [
        ("load", &statements.load),
        ("update", &statements.update),
        ("touch", &statements.touch),
        ("rotate", &statements.rotate),
        ("delete", &statements.delete),
        ("list", &statements.list),
    ] {
        let plan = plan(&store, statement).await;
        assert!(
            plan.contains("sqlite_autoindex_sessions_1 (session_key") && !plan.contains("__expiry"),
            "{name}: {plan}"
        );
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
    for (name, statement) in [("delete_expired", &statements.delete_expired), ("count", &statements.count)] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("INDEX sessions__expiry (expires_at"), "{name}: {plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
    for (name, statement) in [
        ("list_owned", &statements.list_owned),
        ("count_owned", &statements.count_owned),
        ("delete_owned", &statements.delete_owned[0]),
    ] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("sessions__owner (owner=?"), "{name}: {plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
}
