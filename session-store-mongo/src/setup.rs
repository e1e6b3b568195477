//! The collection and its indexes: made by `setup`, compared by `verify`.

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{Collation, IndexOptions};
use mongodb::results::{CollectionSpecification, CollectionType};
use session_core::{LayoutError, Result};

use crate::driver::Kind;
use crate::store::MongoStore;

/// How long the server keeps a record after its expiry, before it collects it by its own clock.
///
/// Long enough that no difference between its clock and the application's ends a session that the application's has alive. It
/// counts from `sweep_at`, ten seconds before the expiry at most.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of the layout; it is the end of the name of the index of keys.
const LAYOUT: u32 = 1;
const LAYOUT_PREFIX: &str = "session_key_v";

/// The name of the unique index. Every write names it, so that all are refused where `setup` has not run, the collection has been
/// dropped, or another version has changed the layout: without the index two sessions could be created under one key.
pub(crate) const KEY_INDEX: &str = "session_key_v1";

/// The name of the index of owners. Ending an owner's sessions names it, so that nothing is removed from a collection of others.
pub(crate) const OWNER_INDEX: &str = "session_owner";

/// The indexes that the calls need.
fn indexes() -> Vec<IndexModel> {
    // Compared byte for byte, whatever the collection says.
    let named = |name: &str| {
        let simple = Collation::builder().locale("simple").build();
        IndexOptions::builder().name(name.to_owned()).collation(simple)
    };
    let model = |keys: Document, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
    vec![
        model(doc! { "key": 1 }, named(KEY_INDEX).unique(true).build()),
        model(doc! { "sweep_at": 1 }, named("session_sweep").expire_after(GRACE).build()),
        // In the order of a listing, and of the scan that ends an owner's sessions: neither a rotation nor an update that
        // keeps the owner moves an entry, so that no scan misses one (`OWNER-04`).
        model(
            doc! { "owner": 1, "_id": 1 },
            named(OWNER_INDEX).partial_filter_expression(doc! { "owner": { "$exists": true } }).build(),
        ),
    ]
}

impl MongoStore {
    /// Creates the collection and its indexes where they are missing, then verifies them. May run any number of times, and in
    /// many processes at once (`PEER-02`); what is stored stays. Where all is there it makes nothing, and waits for nobody.
    ///
    /// # Errors
    ///
    /// [`Backend`](session_core::Error::Backend) with a [`LayoutError`] for a collection that is another program's or a later version's, that
    /// compares by the rules of a language, is capped or is no collection, for an index of the same name that is another one, and
    /// where the account may not make what is missing. [`Unavailable`](session_core::Error::Unavailable) if there is no answer in time; the
    /// server goes on with an index that it has begun to make, and the call can be made again.
    pub async fn setup(&self) -> Result<()> {
        let found = match self.verify().await {
            Err(error) => match error.layout() {
                Some(found @ (LayoutError::Absent | LayoutError::Incomplete { .. })) => found.clone(),
                _ => return Err(error),
            },
            complete => return complete,
        };
        let made = self.ask(Kind::Long, |sessions| async move {
            Ok(sessions.collection.create_indexes(indexes()).await.map(drop)?)
        });
        match made.await {
            Ok(()) => self.verify().await,
            Err(cause) if cause.is_not_allowed() => Err(LayoutError::NotAllowed.into()),
            Err(cause) if cause.is_other_index() => Err(found.into()),
            // Two documents without a key.
            Err(cause) if cause.is_duplicate_key() => Err(LayoutError::Foreign.into()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Says whether the collection and its indexes are there and what they should be. Makes nothing, and needs no right to.
    ///
    /// # Errors
    ///
    /// As those of [`setup`](MongoStore::setup); and [`LayoutError::Absent`] or [`LayoutError::Incomplete`] where `setup` would make something.
    pub async fn verify(&self) -> Result<()> {
        let (collection, found, first) = self
            .ask(Kind::Any, |sessions| async move {
                let name = doc! { "name": sessions.collection.name() };
                let mut listed = sessions.database.list_collections().filter(name).batch_size(2).await?;
                let collection = if listed.advance().await? { Some(listed.deserialize_current()?) } else { None };
                if !collection.as_ref().is_some_and(is_collection) {
                    return Ok((collection, Vec::new(), None));
                }
                let mut listed = sessions.collection.list_indexes().max_time(sessions.limit).await?;
                let mut found = Vec::new();
                while listed.advance().await? {
                    found.push(listed.deserialize_current()?);
                }
                let first = sessions.collection.find_one(doc! {}).max_time(sessions.limit).await?;
                Ok((collection, found, first))
            })
            .await?;
        check_collection(&collection.ok_or(LayoutError::Absent)?)?;
        let is_foreign = first.is_some_and(|stored| !stored.is_ours());
        Ok(check_indexes(&found, is_foreign)?)
    }
}

fn is_collection(collection: &CollectionSpecification) -> bool {
    matches!(collection.collection_type, CollectionType::Collection)
}

/// Refuses a collection that cannot keep sessions: one that compares texts by the rules of a language takes keys that
/// differ in case for one (`KEY-01`); of a capped one nothing can be deleted; a view has no documents.
fn check_collection(collection: &CollectionSpecification) -> Result<(), LayoutError> {
    if !is_collection(collection) || collection.options.capped == Some(true) {
        return Err(LayoutError::Foreign);
    }
    let incomplete = LayoutError::Incomplete { part: "the collation of the collection".into() };
    if collection.options.collation.is_some() { Err(incomplete) } else { Ok(()) }
}

/// Compares the indexes with those that are needed. A collection without ours that has documents of others is another program's.
fn check_indexes(found: &[IndexModel], is_foreign: bool) -> Result<(), LayoutError> {
    let name = |index: &IndexModel| index.options.as_ref().and_then(|options| options.name.clone()).unwrap_or_default();
    let numbers = found.iter().filter_map(|index| name(index).strip_prefix(LAYOUT_PREFIX)?.parse().ok());
    match numbers.max() {
        None if is_foreign => return Err(LayoutError::Foreign),
        Some(found) if found > LAYOUT => return Err(LayoutError::Newer { found, known: LAYOUT }),
        Some(found) if found < LAYOUT => return Err(LayoutError::Older { found, needed: LAYOUT }),
        _ => {}
    }
    for wanted in indexes() {
        if !found.iter().any(|index| name(index) == name(&wanted) && is_same(index, &wanted)) {
            return Err(LayoutError::Incomplete { part: format!("the index {}", name(&wanted)) });
        }
    }
    Ok(())
}

fn is_same(found: &IndexModel, wanted: &IndexModel) -> bool {
    // A number is one in whichever of its types somebody wrote it.
    let is_one = |value: &Bson| matches!(value, Bson::Int32(1) | Bson::Int64(1)) || value.as_f64() == Some(1.0);
    let are_keys = found.keys.keys().eq(wanted.keys.keys()) && found.keys.values().all(is_one);
    let (Some(found), Some(wanted)) = (&found.options, &wanted.options) else { return false };
    are_keys
        && found.unique.unwrap_or_default() == wanted.unique.unwrap_or_default()
        && found.expire_after == wanted.expire_after
        && found.partial_filter_expression == wanted.partial_filter_expression
        && !found.sparse.unwrap_or_default()
        && found.collation.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server leaves a simple collation out.
    fn listed() -> Vec<IndexModel> {
        let mut listed = indexes();
        for options in listed.iter_mut().filter_map(|index| index.options.as_mut()) {
            options.collation = None;
        }
        listed
    }

    #[test]
    fn what_is_missing_or_another_is_named() {
        assert_eq!(KEY_INDEX, format!("{LAYOUT_PREFIX}{LAYOUT}"));
        assert_eq!(check_indexes(&listed(), false), Ok(()));
        assert_eq!(check_indexes(&listed(), true), Ok(()), "a document of others came later");
        assert_eq!(check_indexes(&[], true), Err(LayoutError::Foreign));
        let incomplete = |part: &str| Err(LayoutError::Incomplete { part: part.into() });
        assert_eq!(check_indexes(&[], false), incomplete("the index session_key_v1"));
        assert_eq!(check_indexes(&listed()[..2], false), incomplete("the index session_owner"));
        let changes: [fn(&mut IndexModel); 4] = [
            |index| index.keys = doc! { "key": -1 },
            |index| index.options.as_mut().expect("it has options").unique = None,
            |index| index.options.as_mut().expect("it has options").sparse = Some(true),
            |index| index.options.as_mut().expect("it has options").expire_after = Some(GRACE),
        ];
        for change in changes {
            let mut listed = listed();
            change(&mut listed[0]);
            assert_eq!(check_indexes(&listed, false), incomplete("the index session_key_v1"), "{:?}", listed[0]);
        }
    }

    #[test]
    fn other_numbers_are_older_or_newer() {
        let numbered = |number: u32| {
            let mut listed = listed();
            listed[0].options.as_mut().expect("it has options").name = Some(format!("{LAYOUT_PREFIX}{number}"));
            check_indexes(&listed, false)
        };
        assert_eq!(numbered(0), Err(LayoutError::Older { found: 0, needed: 1 }));
        assert_eq!(numbered(7), Err(LayoutError::Newer { found: 7, known: 1 }));
    }
}
