//! The conformance suite on encryption around PostgreSQL.

mod over;

use session_store_sqlx::PostgresOptions;

fn main() -> std::process::ExitCode {
    over::on_server("encrypted-postgres", "SESSION_TEST_POSTGRES_URL", |url, space| async move {
        let store = PostgresOptions::new(url)?.with_timeout(over::TIMEOUT).open().await?;
        let store = store.with_table(space.namespace())?.with_clock(space.clock()).with_max_data_bytes(over::LIMIT);
        store.setup().await?;
        Ok(store)
    })
    .main()
}
