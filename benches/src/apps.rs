//! One small application, with the sessions of each contestant: `/untouched`, `/read`, `/write`, and `/seed` to begin with.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use session_core::SessionIndex;

use crate::Outcome;
use crate::body::Body;

/// The contestants over HTTP, as the command line names them.
pub const APPS: [&str; 4] = ["bare", "ours", "tower-sessions", "axum_session"];

/// The bytes of a session here.
pub const SIZE: usize = 2048;

/// Makes an application whose sessions are in memory or in Redis; `None` for what there is not.
pub async fn app(contestant: &str, redis: Option<&str>) -> Outcome<Option<Router>> {
    Ok(Some(match (contestant, redis) {
        ("bare", None) => bare(),
        ("ours", None) => ours(Arc::new(session_store_memory::MemoryStore::new()))?,
        ("ours", Some(url)) => ours(Arc::new(session_store_redis::RedisStore::open(url).await?))?,
        ("tower-sessions", None) => tower_sessions_15(tower_sessions::MemoryStore::default()),
        ("tower-sessions", Some(url)) => {
            use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
            let pool = Pool::new(Config::from_url(url)?, None, None, None, 6)?;
            pool.connect();
            pool.wait_for_connect().await?;
            tower_sessions_14(tower_sessions_redis_store::RedisStore::new(pool))
        }
        ("axum_session", None) => axum_session::<axum_session::SessionNullPool>(None).await?,
        ("axum_session", Some(url)) => {
            let pool = redis_pool::RedisPool::from(::redis::Client::open(url)?);
            axum_session(Some(axum_session_redispool::SessionRedisPool::from(pool))).await?
        }
        _ => return Ok(None),
    }))
}

fn bare() -> Router {
    let hello = || async { "hello" };
    Router::new().route("/untouched", get(hello)).route("/read", get(hello)).route("/write", get(hello))
}

fn ours(store: Arc<dyn SessionIndex>) -> Outcome<Router> {
    use session_tower::{CookiePolicy, Error, Secrets, Session, SessionLayer};
    async fn read(session: Session) -> Result<String, Error> {
        Ok(session.get::<u32>("views")?.unwrap_or_default().to_string())
    }
    async fn write(session: Session) -> Result<&'static str, Error> {
        session.modify("views", |views: &mut u32| *views = views.wrapping_add(1))?;
        Ok("hello")
    }
    async fn seed(session: Session) -> Result<&'static str, Error> {
        for (name, value) in Body::of_size(SIZE).values {
            session.set(&name, &value)?;
        }
        Ok("hello")
    }
    let secrets = Secrets::new(["a secret of the benchmark, 32 bytes or more"])?;
    let sessions = SessionLayer::new(store, secrets).with_cookie(CookiePolicy::insecure_for_development());
    Ok(Router::new()
        .route("/untouched", get(|| async { "hello" }))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/seed", get(seed))
        .layer(sessions))
}

macro_rules! tower_sessions {
    ($name:ident, $tower_sessions:ident) => {
        fn $name(store: impl $tower_sessions::SessionStore + Clone) -> Router {
            use $tower_sessions::session::Error;
            use $tower_sessions::{Expiry, Session, SessionManagerLayer};
            struct Failed;
            impl From<Error> for Failed {
                fn from(_: Error) -> Self {
                    Self
                }
            }
            impl axum::response::IntoResponse for Failed {
                fn into_response(self) -> axum::response::Response {
                    http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
            }
            async fn read(session: Session) -> Result<String, Failed> {
                Ok(session.get::<u32>("views").await?.unwrap_or_default().to_string())
            }
            async fn write(session: Session) -> Result<&'static str, Failed> {
                let views = session.get::<u32>("views").await?.unwrap_or_default();
                session.insert("views", views.wrapping_add(1)).await?;
                Ok("hello")
            }
            async fn seed(session: Session) -> Result<&'static str, Failed> {
                for (name, value) in Body::of_size(SIZE).values {
                    session.insert(&name, value).await?;
                }
                Ok("hello")
            }
            let day = Expiry::OnInactivity(time::Duration::days(1));
            let sessions = SessionManagerLayer::new(store).with_secure(false).with_expiry(day);
            Router::new()
                .route("/untouched", get(|| async { "hello" }))
                .route("/read", get(read))
                .route("/write", get(write))
                .route("/seed", get(seed))
                .layer(sessions)
        }
    };
}

tower_sessions!(tower_sessions_14, tower_sessions_14);
tower_sessions!(tower_sessions_15, tower_sessions);

async fn axum_session<P>(pool: Option<P>) -> Outcome<Router>
where
    P: axum_session::DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    use axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
    async fn read<P>(session: Session<P>) -> String
    where
        P: axum_session::DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        session.get::<u32>("views").unwrap_or_default().to_string()
    }
    async fn write<P>(session: Session<P>) -> &'static str
    where
        P: axum_session::DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        let views = session.get::<u32>("views").unwrap_or_default();
        session.set("views", views.wrapping_add(1));
        "hello"
    }
    async fn seed<P>(session: Session<P>) -> &'static str
    where
        P: axum_session::DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        for (name, value) in Body::of_size(SIZE).values {
            session.set(&name, value);
        }
        "hello"
    }
    let config = SessionConfig::default().with_secure(false);
    let sessions = SessionLayer::new(SessionStore::<P>::new(pool, config).await?);
    Ok(Router::new()
        .route("/untouched", get(|| async { "hello" }))
        .route("/read", get(read::<P>))
        .route("/write", get(write::<P>))
        .route("/seed", get(seed::<P>))
        .layer(sessions))
}
