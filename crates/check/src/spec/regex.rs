//! Regular expressions on what a server answers: PCRE2's, as in keepalived.

use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an answer shall match, or shall not. An expression alone is written as a text.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Regex {
    pub pattern: String,
    /// `regex_no_match`: a match is a failure.
    pub no_match: bool,
    /// `regex_options`.
    pub options: Vec<RegexOption>,
    /// `regex_min_offset`: a match begins at this byte or later.
    pub min_offset: usize,
    /// `regex_max_offset`: a match begins at this byte or earlier.
    pub max_offset: Option<usize>,
}

/// As it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    pattern: String,
    #[serde(default)]
    no_match: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<RegexOption>,
    #[serde(default)]
    min_offset: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_offset: Option<usize>,
}

impl From<Table> for Regex {
    fn from(table: Table) -> Self {
        Self {
            pattern: table.pattern,
            no_match: table.no_match,
            options: table.options,
            min_offset: table.min_offset,
            max_offset: table.max_offset,
        }
    }
}

impl Serialize for Regex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            pattern,
            no_match,
            options,
            min_offset,
            max_offset,
        } = self.clone();
        if self == &Self::new(&*self.pattern) {
            return serializer.serialize_str(&pattern);
        }
        let table = Table {
            pattern,
            no_match,
            options,
            min_offset,
            max_offset,
        };
        table.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Regex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTable)
    }
}

struct TextOrTable;

impl<'de> Visitor<'de> for TextOrTable {
    type Value = Regex;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a regular expression: a text, or a table with `pattern`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Regex, E> {
        Ok(Regex::new(text))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Regex, M::Error> {
        Table::deserialize(MapAccessDeserializer::new(map)).map(Regex::from)
    }
}

impl Regex {
    /// An expression that the answer shall match.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            no_match: false,
            options: Vec::new(),
            min_offset: 0,
            max_offset: None,
        }
    }
}

/// keepalived's `regex_options`: PCRE2's compile options (pcre2api(3)).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegexOption {
    AllowEmptyClass,
    AltBsux,
    AltCircumflex,
    AltVerbnames,
    AutoCallout,
    Caseless,
    DollarEndonly,
    Dotall,
    Dupnames,
    Extended,
    Firstline,
    MatchUnsetBackref,
    Multiline,
    NeverBackslashC,
    NeverUcp,
    NeverUtf,
    NoAutoCapture,
    NoAutoPossess,
    NoDotstarAnchor,
    NoStartOptimize,
    Ucp,
    Ungreedy,
    UseOffsetLimit,
    Utf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_alone_is_a_text() {
        let read = |text: &str| serde_json::from_str::<Regex>(text);
        assert_eq!(read(r#""^ok$""#).unwrap(), Regex::new("^ok$"));
        assert_eq!(read(r#"{"pattern": "^ok$"}"#).unwrap(), Regex::new("^ok$"));
        assert_eq!(
            serde_json::to_string(&Regex::new("^ok$")).unwrap(),
            r#""^ok$""#
        );
        let not = Regex {
            no_match: true,
            ..Regex::new("ill")
        };
        let written = serde_json::to_string(&not).unwrap();
        assert_eq!(read(&written).unwrap(), not);
        let error = read(r#"{"pattern": "x", "case": true}"#).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `case`"),
            "{error}"
        );
        assert!(
            read("5")
                .unwrap_err()
                .to_string()
                .contains("a text, or a table")
        );
    }
}
