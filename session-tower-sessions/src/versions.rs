//! The trait of tower-sessions in its versions, which are the same text about types of different crates.

macro_rules! implement {
    ($version:ident, $core:ident, $feature:literal) => {
        #[cfg(feature = $feature)]
        mod $version {
            use std::fmt::Debug;

            use async_trait::async_trait;
            use session_core::SessionStore;
            use $core::session::{Id, Record};
            use $core::session_store::{Error, Result};

            use crate::TowerSessionsStore;

            #[async_trait]
            impl<S: SessionStore + Debug + 'static> $core::SessionStore for TowerSessionsStore<S> {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    loop {
                        let id = record.id.to_string();
                        match self.create_record(&id, &mut record.data, record.expiry_date).await {
                            // Two random ids met.
                            Err(session_core::Error::AlreadyExists) => record.id = Id::default(),
                            answer => return answer.map_err(failed),
                        }
                    }
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    let id = record.id.to_string();
                    self.save_record(&id, &record.data, record.expiry_date).await.map_err(failed)
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    let loaded = self.load_record(&id.to_string()).await.map_err(failed)?;
                    Ok(loaded.map(|(data, expiry_date)| Record { id: *id, data, expiry_date }))
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    self.delete_record(&id.to_string()).await.map_err(failed)
                }
            }

            #[async_trait]
            impl<S: SessionStore + Debug + 'static> $core::ExpiredDeletion for TowerSessionsStore<S> {
                async fn delete_expired(&self) -> Result<()> {
                    self.delete_expired_records().await.map_err(failed)
                }
            }

            fn failed(error: session_core::Error) -> Error {
                let text = super::with_causes(&error);
                if matches!(error, session_core::Error::Corrupt(_)) {
                    Error::Decode(text)
                } else {
                    Error::Backend(text)
                }
            }
        }
    };
}

implement!(core_0_14, tower_sessions_core_0_14, "core-0-14");
implement!(core_0_15, tower_sessions_core_0_15, "core-0-15");

/// The whole chain as text, as tower-sessions' errors keep nothing else.
fn with_causes(error: &session_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
