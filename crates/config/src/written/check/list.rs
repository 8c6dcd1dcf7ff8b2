//! One check or several.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::WrittenCheck;

/// What `check` is: a word, a table, or a list of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checks(pub(crate) Vec<WrittenCheck>);

/// One of them.
struct One(WrittenCheck);

struct OneOrSeveral;

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Checks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a check: a word such as \"tcp\", a table, or a list of these")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Checks, E> {
        let check = WrittenCheck::named(word).map_err(E::custom)?;
        Ok(Checks(vec![check]))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Checks, M::Error> {
        let check = WrittenCheck::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Checks(vec![check]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Checks, S::Error> {
        let mut checks = Vec::new();
        while let Some(One(check)) = list.next_element()? {
            checks.push(check);
        }
        Ok(Checks(checks))
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a check: a word such as \"tcp\", or a table";
        let either = crate::written::text_or(deserializer, expecting, WrittenCheck::named)?;
        Ok(Self(match either {
            crate::written::Either::Text(check) | crate::written::Either::Table(check) => check,
        }))
    }
}

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => Shortest(one).serialize(serializer),
            several => serializer.collect_seq(several.iter().map(Shortest)),
        }
    }
}

/// As a word where one is enough.
struct Shortest<'a>(&'a WrittenCheck);

impl Serialize for Shortest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.word() {
            Some(word) => serializer.serialize_str(word),
            None => self.0.serialize(serializer),
        }
    }
}

impl JsonSchema for Checks {
    fn schema_name() -> Cow<'static, str> {
        "Checks".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<WrittenCheck>();
        let word = json_schema!({ "enum": super::kind::WORDS });
        let one = json_schema!({ "anyOf": [word, table] });
        json_schema!({
            "description": "A health check, or several, all of which must succeed",
            "anyOf": [one, { "type": "array", "items": one }]
        })
    }
}
