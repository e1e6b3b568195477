//! How SQLite runs the statements.

use sqlx::Row;

use super::{Folder, ask};
use crate::SqliteStore;
use crate::sql::Statement;

/// How SQLite runs a statement, in its own words.
async fn plan(store: &SqliteStore, statement: &Statement) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql().as_str());
    ask(store, &sql, |row| row.get::<String, _>("detail")).await.join("; ")
}

#[tokio::test]
async fn no_statement_but_the_count_of_all_goes_through_the_whole_table() {
    let folder = Folder::new();
    let store = folder.store().await;
    let statements = store.statements();
    for (name, statement) in [
        ("load", &statements.load),
        ("update in place", &statements.update[0]),
        ("update", &statements.update[1]),
        ("touch", &statements.touch[0]),
        ("rotate", &statements.rotate[0]),
        ("delete", &statements.delete[0]),
        ("list", &statements.list),
    ] {
        let plan = plan(&store, statement).await;
        assert!(
            plan.contains("sqlite_autoindex_sessions_1 (session_key") && !plan.contains("__expiry"),
            "{name}: {plan}"
        );
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
    for statement in [&statements.delete_expired[0], &statements.refile[0]] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("INDEX sessions__expiry (sweep_at<?)"), "{plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for (name, statement) in [
        ("list_owned", &statements.list_owned),
        ("count_owned", &statements.count_owned),
        ("delete_owned", &statements.delete_owned[0][0]),
    ] {
        let plan = plan(&store, statement).await;
        assert!(plan.contains("sessions__owner (owner=?"), "{name}: {plan}");
        assert!(!plan.contains("SCAN sessions") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
}
