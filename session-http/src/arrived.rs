//! A request that has arrived, under whatever rules.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::native::NativeVisit;
use crate::rules::Visit;

/// What the rules make of a request that arrives.
pub enum Arrived {
    /// Its path has no session.
    Outside,
    /// Nothing of it has to be remembered: its headers are looked at when somebody opens its session.
    Unseen,
    /// It has this.
    Seen(AnyVisit),
}

/// A request under any rules; the native ones need no memory of their own for it.
pub struct AnyVisit(Kind);

enum Kind {
    Native(NativeVisit),
    Other(Box<dyn Visit>),
}

impl AnyVisit {
    /// Takes a request under other rules.
    pub fn new(visit: impl Visit) -> Self {
        Self(Kind::Other(Box::new(visit)))
    }

    pub(crate) fn native(visit: NativeVisit) -> Self {
        Self(Kind::Native(visit))
    }

    /// Returns it as what it is; `None` if it is of other rules.
    pub fn downcast<V: Visit>(self) -> Option<V> {
        match self.0 {
            Kind::Native(_) => None,
            Kind::Other(visit) => (visit as Box<dyn Any>).downcast().ok().map(|visit| *visit),
        }
    }
}

impl Deref for AnyVisit {
    type Target = dyn Visit;

    fn deref(&self) -> &(dyn Visit + 'static) {
        match &self.0 {
            Kind::Native(visit) => visit,
            Kind::Other(visit) => &**visit,
        }
    }
}

impl DerefMut for AnyVisit {
    fn deref_mut(&mut self) -> &mut (dyn Visit + 'static) {
        match &mut self.0 {
            Kind::Native(visit) => visit,
            Kind::Other(visit) => &mut **visit,
        }
    }
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "outside",
            Self::Unseen => "unseen",
            Self::Seen(_) => "seen",
        })
    }
}

impl fmt::Debug for AnyVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyVisit").finish_non_exhaustive()
    }
}
