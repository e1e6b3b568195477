//! axum_session: its databases, with the encoding that its layer does around them.

use std::collections::HashMap;

use axum_session::DatabasePool;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// A database of axum_session and the name of its table.
pub struct AxumSession<P> {
    database: P,
    table: String,
}

impl<P: DatabasePool> AxumSession<P> {
    /// Makes the table.
    pub async fn open(database: P, table: &str) -> Outcome<Self> {
        database.initiate(table).await?;
        Ok(Self { database, table: table.to_owned() })
    }
}

/// What axum_session encodes, as it encodes it; its own type is private.
#[derive(Serialize, Deserialize)]
struct SessionData {
    data: HashMap<String, String>,
    longterm: bool,
}

fn ends() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp() + i64::try_from(LIFETIME.as_secs()).unwrap_or_default()
}

/// A key, and the session as the layer has it in memory.
pub struct Session {
    id: String,
    data: SessionData,
}

impl<P: DatabasePool + Send + Sync + 'static> Contestant for AxumSession<P> {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let session = Session {
            id: crate::ours::fresh_key()?.as_str()[..36].to_owned(),
            data: SessionData { data: body.texts.clone(), longterm: false },
        };
        let text = serde_json::to_string(&session.data)?;
        self.database.store(&session.id, &text, ends(), &self.table).await?;
        Ok(session)
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        let text = self.database.load(&session.id, &self.table).await?;
        Ok(text.map(|text| serde_json::from_str::<SessionData>(&text)).transpose()?.is_some())
    }

    async fn update(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        let text = serde_json::to_string(&session.data)?;
        Ok(self.database.store(&session.id, &text, ends(), &self.table).await?)
    }

    async fn touch(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        self.update(session, body).await
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        Ok(self.database.delete_one_by_id(&session.id, &self.table).await?)
    }
}
