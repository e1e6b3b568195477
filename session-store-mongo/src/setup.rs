//! The collection and its indexes.

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::{Collation, IndexOptions};
use mongodb::results::{CollectionSpecification, CollectionType};
use session_core::{Error, Result};

/// How long the server keeps a record after its expiry, before it collects it by its own clock.
///
/// Long enough that no difference between its clock and the application's ends a session that the application's has alive. It
/// counts from `sweep_at`, ten seconds before the expiry at most.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The name of the unique index. Writes name it, the first create among them, so that they are refused where `setup` has not
/// run: without the index two sessions could be created under one key.
pub(crate) const KEY_INDEX: &str = "key";

/// The name of the index of owners. Ending an owner's sessions names it, so that nothing is removed from a collection of others.
pub(crate) const OWNER_INDEX: &str = "owner";

/// The indexes that the calls need.
pub(crate) fn indexes() -> Vec<IndexModel> {
    // Compared byte for byte, whatever the collection says.
    let named = |name: &str| {
        let simple = Collation::builder().locale("simple").build();
        IndexOptions::builder().name(name.to_owned()).collation(simple)
    };
    let model = |keys: Document, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
    vec![
        model(doc! { "key": 1 }, named(KEY_INDEX).unique(true).build()),
        model(doc! { "sweep_at": 1 }, named("sweep").expire_after(GRACE).build()),
        // In the order of a listing, and of the scan that ends an owner's sessions: neither a rotation nor an update that
        // keeps the owner moves an entry, so that no scan misses one (`OWNER-04`).
        model(
            doc! { "owner": 1, "_id": 1 },
            named(OWNER_INDEX).partial_filter_expression(doc! { "owner": { "$exists": true } }).build(),
        ),
    ]
}

/// Refuses a collection that cannot keep sessions: one that compares texts by the rules of a language, takes keys that
/// differ in case for one (`KEY-01`); of a capped one nothing can be deleted; a view has no documents.
pub(crate) fn check(collection: &CollectionSpecification) -> Result<()> {
    if !matches!(collection.collection_type, CollectionType::Collection) {
        return Err(Error::backend("the collection is a view, or keeps time series"));
    }
    if collection.options.collation.is_some() {
        return Err(Error::backend("the collection has a collation, so that different keys could be one"));
    }
    if collection.options.capped == Some(true) {
        return Err(Error::backend("the collection is capped"));
    }
    Ok(())
}
