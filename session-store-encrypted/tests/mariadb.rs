//! The conformance suite on encryption around MariaDB.

mod over;

use session_store_sqlx::MySqlOptions;

fn main() -> std::process::ExitCode {
    over::on_server("encrypted-mariadb", "SESSION_TEST_MARIADB_URL", |url, space| async move {
        let store = MySqlOptions::new(url)?.with_timeout(over::TIMEOUT).open().await?;
        let store = store.with_table(space.namespace())?.with_clock(space.clock()).with_max_data_bytes(over::LIMIT);
        store.setup().await?;
        Ok(store)
    })
    .main()
}
