//! One multiplexed connection: `GET`, `SET`, `PEXPIRE` and `DEL`; and a script that compares a revision before it writes.

use redis::aio::ConnectionManager;

use super::{Session, exactly_one, fresh_revision};
use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

/// The driver.
pub struct Redis {
    connection: ConnectionManager,
    prefix: String,
    compare: Option<redis::Script>,
}

/// The revision are the first eight bytes of the value.
const COMPARE: &str = "
local stored = redis.call('GETRANGE', KEYS[1], 0, 7)
if stored ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

impl Redis {
    /// Connects. With `compares`, a write compares the revision first, in a script.
    pub async fn open(url: &str, prefix: &str, compares: bool) -> Outcome<Self> {
        let connection = ConnectionManager::new(redis::Client::open(url)?).await?;
        Ok(Self { connection, prefix: prefix.to_owned(), compare: compares.then(|| redis::Script::new(COMPARE)) })
    }

    fn key(&self, session: &Session) -> String {
        format!("{}{}", self.prefix, session.key)
    }
}

fn lifetime() -> u64 {
    u64::try_from(LIFETIME.as_millis()).unwrap_or_default()
}

fn value(revision: i64, body: &Body) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + body.text.len());
    value.extend_from_slice(&revision.to_be_bytes());
    value.extend_from_slice(body.text.as_bytes());
    value
}

impl Contestant for Redis {
    type Session = Session;

    async fn create(&self, body: &Body) -> Outcome<Session> {
        let session = Session::fresh()?;
        let mut connection = self.connection.clone();
        let mut set = redis::cmd("SET");
        set.arg(self.key(&session)).arg(value(session.revision, body)).arg("PX").arg(lifetime()).arg("NX");
        let is_set: bool = set.query_async(&mut connection).await?;
        exactly_one(is_set.into())?;
        Ok(session)
    }

    async fn load(&self, session: &Session) -> Outcome<bool> {
        let mut connection = self.connection.clone();
        let found: Option<Vec<u8>> = redis::cmd("GET").arg(self.key(session)).query_async(&mut connection).await?;
        Ok(found.is_some())
    }

    async fn update(&self, session: &mut Session, body: &Body) -> Outcome<()> {
        let mut connection = self.connection.clone();
        let (key, fresh) = (self.key(session), fresh_revision());
        let changed: bool = if let Some(script) = &self.compare {
            let mut call = script.key(key);
            call.arg(&session.revision.to_be_bytes()[..]).arg(value(fresh, body)).arg(lifetime());
            call.invoke_async(&mut connection).await?
        } else {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(value(fresh, body)).arg("PX").arg(lifetime()).arg("XX");
            set.query_async(&mut connection).await?
        };
        session.revision = fresh;
        exactly_one(changed.into())
    }

    async fn touch(&self, session: &mut Session, _: &Body) -> Outcome<()> {
        let mut connection = self.connection.clone();
        let key = self.key(session);
        let mut expire = redis::cmd("PEXPIREAT");
        let changed: bool = expire.arg(key).arg(session.touch()).query_async(&mut connection).await?;
        exactly_one(changed.into())
    }

    async fn delete(&self, session: Session) -> Outcome<()> {
        let mut connection = self.connection.clone();
        let deleted: u64 = redis::cmd("DEL").arg(self.key(&session)).query_async(&mut connection).await?;
        exactly_one(deleted)
    }
}
