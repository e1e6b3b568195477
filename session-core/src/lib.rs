#![doc = include_str!("../README.md")]

mod changes;
mod clock;
pub mod contract;
mod data;
mod entries;
mod error;
mod expiry;
mod forward;
mod id;
mod index;
mod key;
mod names;
mod options;
mod owner;
mod record;
mod revision;
mod session_stream;
mod store;
mod sweeper;
mod timestamp;

pub use clock::{Clock, ManualClock, SystemClock};
pub use data::{Data, InvalidData, UnreadableValue};
pub use error::{BoxError, Error, Result};
pub use expiry::{Expiry, InvalidExpiry};
pub use id::{InvalidId, RandomnessUnavailable, SessionId};
pub use index::{Cursor, Listing, Page, Scope, SessionIndex, SessionInfo};
pub use key::{InvalidKey, SessionKey};
pub use options::StoreOptions;
pub use owner::{InvalidOwner, OwnerId};
pub use record::Record;
pub use revision::Revision;
pub use session_stream::SessionStream;
pub use store::SessionStore;
pub use sweeper::{SweepReport, Sweeper};
pub use timestamp::{InvalidTimestamp, Timestamp};
