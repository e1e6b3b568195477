//! Values by name: found in the text that is stored, read and written as JSON.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use session_core::Data;

use crate::Error;
use crate::changes::Value;

/// The values that are stored. A search goes through the text; after many of them there is an index.
#[derive(Clone, Default)]
pub(crate) struct Values {
    data: Data,
    searches: u32,
    index: Option<HashMap<Box<str>, Value>>,
}

/// One value, found and not yet parsed, so that a caller's own code never runs under a lock.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    Value(Value),
    /// It is in this text, if it is there.
    Stored(Data),
}

impl Values {
    /// After so many searches an index pays, however the text is.
    const SEARCHES: u32 = 64;

    pub(crate) fn new(data: Data) -> Self {
        Self { data, searches: 0, index: None }
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    pub(crate) fn find(&mut self, name: &str) -> Found {
        self.searches += 1;
        if self.searches > Self::SEARCHES && self.index.is_none() {
            let entries = self.data.iter().map(|(name, value)| (name.into(), value.to_owned().into()));
            self.index = Some(entries.collect());
        }
        match &self.index {
            None => Found::Stored(self.data.clone()),
            Some(index) => index.get(name).cloned().map_or(Found::Nothing, Found::Value),
        }
    }
}

impl Found {
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => Some(value),
            Self::Stored(data) => data.raw(name),
        }
    }

    pub(crate) fn into_value(self, name: &str) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => Some(value),
            Self::Stored(data) => data.raw(name).map(|value| value.to_owned().into()),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.raw(name).map(read).transpose()
    }

    /// Says whether a value is still that which was found before. Mostly nothing at all has changed, and nothing is looked for.
    pub(crate) fn is_still(&self, before: &Self, name: &str) -> bool {
        match (self, before) {
            (Self::Value(value), Self::Value(before)) if std::sync::Arc::ptr_eq(value, before) => true,
            (Self::Stored(data), Self::Stored(before)) if std::ptr::eq(data.as_str(), before.as_str()) => true,
            _ => self.raw(name).map(RawValue::get) == before.raw(name).map(RawValue::get),
        }
    }
}

/// The parser's own message quotes the value (S19), so the error names the type instead.
pub(crate) fn read<T: DeserializeOwned>(value: &RawValue) -> Result<T, Error> {
    serde_json::from_str(value.get()).map_err(|_| Error::UnreadableValue { expected: std::any::type_name::<T>() })
}

/// Writes a value that is only compared.
pub(crate) fn text_of<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::UnwritableValue { given: std::any::type_name::<T>() })
}

pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    match serde_json::value::to_raw_value(value) {
        Ok(value) => Ok(value.into()),
        Err(_) => Err(Error::UnwritableValue { given: std::any::type_name::<T>() }),
    }
}
