//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use futures_util::future::join_all;
use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionInfo, SessionKey};

use crate::RedisStore;
use crate::link::Twice;
use crate::part::PARTS;
use crate::script::{CLEAR, COUNT, DELETE_OWNED, LIST};
use crate::text::Head;

/// The longest page, so that no script keeps Redis busy for long. The next one follows.
const MOST: u32 = 1000;

/// How many records `clear` removes with one script.
const CLEARED: u32 = 1000;

/// The order is that of the parts, of the sets in them, and of the keys in those. A cursor is the set and the last key shown.
#[async_trait]
impl SessionIndex for RedisStore {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let limit = page.limit().min(MOST);
        let place = Place::parse(page.cursor())?;
        let first = place.set / sets_per_part(scope);
        let mut sessions: Vec<SessionInfo> = Vec::new();
        for (from, to) in self.ranges().into_iter().filter(|(_, to)| *to >= first) {
            let left = i64::from(limit) - i64::try_from(sessions.len()).unwrap_or(i64::MAX);
            let call = self.about_parts(&LIST, from, to, self.options.now());
            let call = call.arg(owner_of(scope)).number(left).number(place.set).arg(&place.name);
            let (stopped, found): (i32, Vec<String>) = {
                let mut answer: Vec<redis::Value> = self.link.read(from, &call, self.manner).await?;
                let names = answer.split_off(1);
                (value(answer.remove(0))?, names.into_iter().map(value).collect::<Result<_>>()?)
            };
            for pair in found.chunks_exact(2) {
                // One damaged record must not hide the others.
                if let (Ok(key), Ok(head)) = (SessionKey::parse(&pair[0]), Head::parse(&pair[1])) {
                    sessions.push(head.info(key));
                }
            }
            if let (Ok(set), [.., last, _]) = (u16::try_from(stopped), &*found) {
                return Ok(Listing::new(sessions, Some(Cursor::new(format!("{set}.{last}")))));
            }
        }
        Ok(Listing::new(sessions, None))
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let now = self.options.now();
        let counts = self.ranges().into_iter().map(|(first, last)| async move {
            let call = self.about_parts(&COUNT, first, last, now).arg(owner_of(scope));
            self.link.read::<u64>(first, &call, self.manner).await
        });
        join_all(counts).await.into_iter().sum()
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        #[cfg(feature = "cluster")]
        if self.link.is_cluster() {
            return self.delete_owned_in_steps(owner, except).await;
        }
        self.delete_owned_at(0, PARTS - 1, owner, except).await
    }

    async fn clear(&self) -> Result<u64> {
        let mut count = 0;
        for (first, last) in self.ranges() {
            let mut is_done = false;
            while !is_done {
                let call = self.about_parts(&CLEAR, first, last, self.options.now()).number(CLEARED);
                let (live, done): (u64, u8) = self.link.write(first, &call, Twice::Differs, self.manner).await?;
                count += live;
                is_done = done == 1;
            }
        }
        Ok(count)
    }
}

impl RedisStore {
    /// Ends an owner's sessions in a range of parts.
    pub(crate) async fn delete_owned_at(
        &self,
        first: u16,
        last: u16,
        owner: &OwnerId,
        except: Option<&SessionKey>,
    ) -> Result<u64> {
        let call = self.about_parts(&DELETE_OWNED, first, last, self.options.now());
        let call = call.arg(owner.as_str()).arg(except.map_or("", SessionKey::as_str));
        self.link.write(first, &call, Twice::Differs, self.manner).await
    }
}

/// Where a page begins: after a name in a set.
#[derive(Debug, Default)]
struct Place {
    set: u16,
    name: String,
}

impl Place {
    fn parse(cursor: Option<&Cursor>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self::default()) };
        let parts = cursor.as_str().split_once('.').and_then(|(set, name)| Some((set.parse().ok()?, name)));
        let (set, name) = parts.ok_or_else(|| Error::backend("the cursor is not one of this store"))?;
        Ok(Self { set, name: name.to_owned() })
    }
}

fn owner_of(scope: Scope<'_>) -> &str {
    if let Scope::Owner(owner) = scope { owner.as_str() } else { "" }
}

fn sets_per_part(scope: Scope<'_>) -> u16 {
    if let Scope::Owner(_) = scope { 1 } else { crate::part::SETS }
}

fn value<T: redis::FromRedisValue>(value: redis::Value) -> Result<T> {
    redis::from_redis_value(value).map_err(Error::corrupt)
}
