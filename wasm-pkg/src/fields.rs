//! Reads a JSON object field by field: what is left out has its default, what is wrong or unknown is named.

use serde_json::{Map, Value};
use weir_event::codec::BATCH_BYTES_MAX;

use crate::error::Error;

/// The fields that are still to be read.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// `text` must be JSON for an object.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::of(serde_json::from_str(text).map_err(Error::Json)?)
    }

    /// `value` must be an object.
    pub(crate) fn of(value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(Error::NoObject),
        }
    }

    /// The value of a field; `null` is none.
    pub(crate) fn value(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }

    /// A text; empty when left out.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, Error> {
        match self.value(field) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Error::Field { field, form: "a text" }),
        }
    }

    /// A text that `read` understands.
    pub(crate) fn read<T>(
        &mut self,
        field: &'static str,
        form: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        read(&self.text(field)?).ok_or(Error::Field { field, form })
    }

    /// A whole number that fits; none when left out.
    pub(crate) fn optional_number<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<Option<T>, Error> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| T::try_from(number).ok());
        number.map(Some).ok_or(Error::Field { field, form: "a whole number within its limits" })
    }

    /// A whole number that fits; 0 when left out.
    pub(crate) fn number<T: TryFrom<u64> + Default>(&mut self, field: &'static str) -> Result<T, Error> {
        Ok(self.optional_number(field)?.unwrap_or_default())
    }

    /// A truth value; false when left out.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, Error> {
        match self.value(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Error::Field { field, form: "true or false" }),
        }
    }

    /// A list, each element read by `read`; empty when left out.
    pub(crate) fn list<T>(&mut self, field: &'static str, read: impl Fn(Value) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        match self.value(field) {
            None => Ok(Vec::new()),
            // Each element takes two bytes of a message at least. Read, it takes some hundred times that.
            Some(Value::Array(values)) if values.len() > BATCH_BYTES_MAX / 2 => {
                Err(Error::Field { field, form: "a shorter list" })
            }
            Some(Value::Array(values)) => values.into_iter().map(read).collect(),
            Some(_) => Err(Error::Field { field, form: "a list" }),
        }
    }

    /// Insists that every field was read.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.0.into_iter().next().map_or(Ok(()), |(field, _)| Err(Error::UnknownField { field }))
    }
}

/// Pairs of hex digits.
pub(crate) fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok()
}

/// A 64-bit number in decimal; empty is 0.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

/// What [`decimal`] wants.
pub(crate) const DECIMAL: &str = "a decimal number below 2^64";
