//! Pointers to a store are stores: `Arc<dyn SessionIndex>` is as good as the store that it points to.
//!
//! Each call hands on the future that it is given, where an `async fn` would put it into another box. The lint makes the
//! compiler complain when a call is added to a trait and forgotten here.
#![deny(clippy::missing_trait_methods)]

use std::pin::Pin;
use std::sync::Arc;

use crate::{
    Listing, OwnerId, Page, Record, Result, Revision, Scope, SessionIndex, SessionKey, SessionStore, Timestamp,
};

/// What `async_trait` makes of an `async fn`.
type Answer<'f, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'f>>;

/// Writes the calls as `async_trait` declares them: with a lifetime for each reference, all of which outlive the future.
macro_rules! calls {
    ($(fn $call:ident<$($life:lifetime),*>($($name:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        fn $call<'s, $($life,)* 'f>(&'s self, $($name: $kind),*) -> Answer<'f, $answer>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            (**self).$call($($name),*)
        }
    )*};
}

macro_rules! forward {
    ($pointer:ty) => {
        impl<S: SessionStore + ?Sized> SessionStore for $pointer {
            calls! {
                fn create<'k, 'r>(key: &'k SessionKey, record: &'r Record) -> Revision;
                fn load<'k>(key: &'k SessionKey) -> Option<(Record, Revision)>;
                fn update<'k, 'r>(key: &'k SessionKey, expected: Revision, record: &'r Record) -> Revision;
                fn touch<'k>(key: &'k SessionKey, expires_at: Timestamp) -> ();
                fn rotate<'o, 'n, 'r>(old: &'o SessionKey, expected: Revision, new: &'n SessionKey, record: &'r Record) -> Revision;
                fn delete<'k>(key: &'k SessionKey) -> bool;
                fn delete_expired<>(limit: u32) -> u32;
            }
        }

        impl<S: SessionIndex + ?Sized> SessionIndex for $pointer {
            calls! {
                fn list<'o, 'p>(scope: Scope<'o>, page: &'p Page) -> Listing;
                fn count<'o>(scope: Scope<'o>) -> u64;
                fn delete_owned<'o, 'e>(owner: &'o OwnerId, except: Option<&'e SessionKey>) -> u64;
                fn clear<>() -> u64;
            }
        }
    };
}

forward!(Arc<S>);
forward!(Box<S>);
