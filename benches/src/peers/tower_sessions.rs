//! tower-sessions, whose stores implement three versions of one trait. What it cannot touch, it saves.

use time::OffsetDateTime;

use crate::Outcome;
use crate::body::Body;
use crate::contestant::{Contestant, LIFETIME};

macro_rules! version {
    ($name:ident, $core:ident, |$store:ident, $record:ident| $create:expr) => {
        /// A store of this version of the trait.
        pub struct $name<S>(pub S);

        impl<S: $core::SessionStore> Contestant for $name<S> {
            type Session = $core::session::Record;

            async fn create(&self, body: &Body) -> Outcome<Self::Session> {
                let ($store, mut $record) = (
                    &self.0,
                    $core::session::Record {
                        id: $core::session::Id::default(),
                        data: body.values.clone(),
                        expiry_date: OffsetDateTime::now_utc() + LIFETIME,
                    },
                );
                $create.await?;
                // It is not needed any more, and a million of them would be in the way.
                $record.data = Default::default();
                Ok($record)
            }

            async fn load(&self, session: &Self::Session) -> Outcome<bool> {
                Ok(self.0.load(&session.id).await?.is_some_and(|record| !record.data.is_empty()))
            }

            async fn update(&self, session: &mut Self::Session, body: &Body) -> Outcome<()> {
                let expiry_date = OffsetDateTime::now_utc() + LIFETIME;
                let record = $core::session::Record { id: session.id, data: body.values.clone(), expiry_date };
                Ok(self.0.save(&record).await?)
            }

            async fn touch(&self, session: &mut Self::Session, body: &Body) -> Outcome<()> {
                self.update(session, body).await
            }

            async fn delete(&self, session: Self::Session) -> Outcome<()> {
                Ok(self.0.delete(&session.id).await?)
            }
        }
    };
}

version!(Version11, tower_sessions_core_11, |store, record| {
    record.id = Default::default();
    store.save(&record)
});
version!(Version14, tower_sessions_core_14, |store, record| store.create(&mut record));
version!(Version15, tower_sessions_core_15, |store, record| store.create(&mut record));
