//! Serves the small application on one thread: `serve CONTESTANT PORT [REDIS_URL]`.

use session_benches::{Outcome, apps};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [contestant, port, ..] = &*arguments else { return Err("usage: serve CONTESTANT PORT [REDIS_URL]".into()) };
    let app =
        apps::app(contestant, arguments.get(2).map(String::as_str)).await?.ok_or("there is no such application")?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await?;
    Ok(())
}
