//! `[sysctl]`: names and values as for `rlvs sysctl -w`.

use std::collections::BTreeMap;
use std::fmt;

use rlvs_control::sysctl::{SETTINGS, Setting, find};
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub(crate) fn sysctls<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<&'static str, String>, D::Error> {
    deserializer.deserialize_map(Table)
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = BTreeMap<&'static str, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(Name(setting)) = map.next_key()? {
            values.insert(setting.name, map.next_value_seed(ValueOf(setting))?);
        }
        Ok(values)
    }
}

struct Name(&'static Setting);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static NAMES: [&str; SETTINGS.len()] = names();
        let name = String::deserialize(deserializer)?;
        find(&name)
            .map(Self)
            .map_err(|_| D::Error::unknown_field(&name, &NAMES))
    }
}

/// As the schema has it: each name with what it is for.
pub(crate) fn sysctls_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let describe = |setting: &Setting| {
        let value = serde_json::json!({
            "description": setting.about,
            "type": ["integer", "string"],
        });
        (setting.name.to_owned(), value)
    };
    let properties: serde_json::Map<_, _> = SETTINGS.iter().map(describe).collect();
    schemars::json_schema!({ "type": "object", "properties": properties })
}

const fn names() -> [&'static str; SETTINGS.len()] {
    let mut names = [""; SETTINGS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = SETTINGS[i].name;
        i += 1;
    }
    names
}

/// A number, or text where there are several.
struct ValueOf(&'static Setting);

impl<'de> DeserializeSeed<'de> for ValueOf {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ValueOf {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        self.0.take(text).map_err(|error| E::custom(error.message))
    }
}
