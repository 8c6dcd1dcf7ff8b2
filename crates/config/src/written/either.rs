//! Values with a short form: a text, or a table.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What was there.
pub(crate) enum Either<A, B> {
    Text(A),
    Table(B),
}

/// Reads a text by `parse`, or a table; unlike serde's untagged enums, it keeps the errors of both.
pub(crate) fn text_or<'de, D, A, B, F>(
    deserializer: D,
    expecting: &'static str,
    parse: F,
) -> Result<Either<A, B>, D::Error>
where
    D: Deserializer<'de>,
    B: Deserialize<'de>,
    F: FnOnce(&str) -> Result<A, String>,
{
    deserializer.deserialize_any(TextOr {
        expecting,
        parse,
        table: PhantomData,
    })
}

struct TextOr<B, F> {
    expecting: &'static str,
    parse: F,
    table: PhantomData<B>,
}

impl<'de, A, B, F> Visitor<'de> for TextOr<B, F>
where
    B: Deserialize<'de>,
    F: FnOnce(&str) -> Result<A, String>,
{
    type Value = Either<A, B>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        (self.parse)(text).map(Either::Text).map_err(E::custom)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        B::deserialize(MapAccessDeserializer::new(map)).map(Either::Table)
    }
}
