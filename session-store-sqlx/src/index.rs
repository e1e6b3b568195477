//! The index: list, count, end by owner, clear.

use async_trait::async_trait;
use session_core::{Cursor, Error, Listing, OwnerId, Page, Result, Scope, SessionIndex, SessionKey};

use crate::answer;
use crate::driver::SqlDatabase;
use crate::link::Repeat;
use crate::row;
use crate::statement::Values;
use crate::store::SqlStore;

/// A listing is in the order of the keys, and a cursor is the last key that was shown.
///
/// The index reads no data. A record whose format is not known is neither listed nor counted; one whose data is damaged is,
/// until somebody loads it.
#[async_trait]
impl<DB: SqlDatabase> SessionIndex for SqlStore<DB> {
    async fn list(&self, scope: Scope<'_>, page: &Page) -> Result<Listing> {
        let cursor = page.cursor().map(|cursor| SessionKey::parse(cursor.as_str()));
        let mut after = cursor.transpose().map_err(Error::backend)?.map_or_else(String::new, |key| key.to_string());
        let statement = match scope {
            Scope::Owner(_) => &self.statements().list_owned,
            _ => &self.statements().list,
        };
        loop {
            let values = Values { after, limit: page.limit(), ..Values::owned_by(scope) };
            let rows = self.read(statement, values).await?.answer.rows;
            // One damaged row must not hide the others, be it the last one of a page or all of a small one.
            let is_full = rows.len() as u64 >= u64::from(page.limit());
            let good = rows.iter().rev().find_map(|row| row::key::<DB>(row).ok());
            if let (true, None, Some(last)) = (is_full, &good, rows.last()) {
                after = row::key_text::<DB>(last)?.to_owned();
                continue;
            }
            let next = good.filter(|_| is_full).map(|key| Cursor::new(key.as_str()));
            return Ok(Listing::new(rows.iter().filter_map(|row| row::info::<DB>(row).ok()).collect(), next));
        }
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let statement = match scope {
            Scope::Owner(_) => &self.statements().count_owned,
            _ => &self.statements().count,
        };
        let rows = self.read(statement, Values::owned_by(scope)).await?.answer.rows;
        rows.first().map_or(Ok(0), row::count::<DB>)
    }

    async fn delete_owned(&self, owner: &OwnerId, except: Option<&SessionKey>) -> Result<u64> {
        let values = Values { key: except.cloned(), ..Values::owned_by(Scope::Owner(owner)) };
        let outcome = self.write(&self.statements().delete_owned, values, Repeat::Never).await?;
        Ok(answer::live::<DB>(&outcome.answer, outcome.now))
    }

    async fn clear(&self) -> Result<u64> {
        let outcome = self.write(&self.statements().delete_all, Values::default(), Repeat::Never).await?;
        Ok(outcome.answer.changed)
    }
}
