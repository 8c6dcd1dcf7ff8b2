//! The JSON schema of rlvs.toml, for editors.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::file::WrittenFile;

/// The schema as text.
pub fn schema() -> String {
    let schema = schemars::schema_for!(WrittenFile);
    // A schema is JSON already.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// What a key of a check's table takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Texts,
    Flag,
    Number,
    Time,
    /// One of these.
    Word(&'static [&'static str]),
    Status,
    Regex,
    Tls,
    Login,
    Reply,
    Name,
}

impl Takes {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Number => json!({ "type": "integer" }),
            Self::Time => json!({ "type": ["string", "number"] }),
            Self::Word(words) => json!({ "enum": words }),
            Self::Status => json!({ "type": "array", "items": { "type": ["integer", "string"] } }),
            Self::Regex => regex(),
            Self::Tls => table(TLS, &[]),
            Self::Login => table(LOGIN, &["name"]),
            Self::Reply => table(REPLY, &[]),
            Self::Name => json!({ "anyOf": [
                { "enum": ["none", "virtual_host"] },
                table(&[("name", Takes::Text)], &["name"]),
            ] }),
        }
    }
}

/// An expression, or a table with more.
fn regex() -> Value {
    json!({ "anyOf": [{ "type": "string" }, table(REGEX, &["pattern"])] })
}

type Keys = &'static [(&'static str, Takes)];

fn table(keys: Keys, required: &[&str]) -> Value {
    let properties = keys.iter();
    let properties = properties.map(|(key, takes)| ((*key).to_owned(), takes.schema()));
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false
    })
}

/// Types of `rlvs_check::spec`, whose tables are written as they are there.
macro_rules! tables {
    ($($name:ident: $keys:expr, $required:expr;)*) => {$(
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                // A table is an object, which a schema can be.
                table($keys, $required).try_into().unwrap_or_default()
            }
        }
    )*};
}

tables! {
    Damping: &[("falls", Takes::Number), ("within", Takes::Time), ("hold", Takes::Time)],
        &["falls", "within", "hold"];
    Dns: &[("type", Takes::Word(RECORDS)), ("name", Takes::Text), ("answers", Takes::Texts)], &[];
    Udp: &[("payload", Takes::Text), ("reply", Takes::Reply)], &[];
    File: &[("path", Takes::Text), ("weight", Takes::Number), ("reverse", Takes::Flag)], &["path"];
    Exchange: &[("request", Takes::Text), ("receive", Takes::Regex), ("tls", Takes::Tls)], &[];
    Ftp: &[("login", Takes::Login), ("request", Takes::Text), ("receive", Takes::Regex)], &[];
    Mailbox: &[("login", Takes::Login), ("tls", Takes::Tls)], &[];
    Directory: &[
        ("login", Takes::Login), ("request", Takes::Text), ("receive", Takes::Regex),
        ("tls", Takes::Tls),
    ], &[];
    Database: &[
        ("login", Takes::Login), ("database", Takes::Text), ("request", Takes::Text),
        ("tls", Takes::Tls),
    ], &["login"];
    Sip: &[("login", Takes::Text), ("receive", Takes::Regex), ("udp", Takes::Flag)], &[];
    Redis: &[("login", Takes::Login), ("tls", Takes::Tls), ("role", Takes::Text)], &[];
    Grpc: &[("service", Takes::Text), ("virtual_host", Takes::Text), ("tls", Takes::Tls)], &[];
    Tls: TLS, &[];
    Url: &[
        ("path", Takes::Text), ("method", Takes::Word(&["GET", "HEAD"])),
        ("virtual_host", Takes::Text), ("status", Takes::Status), ("digest", Takes::Text),
        ("regex", Takes::Regex),
    ], &["path"];
}

const RECORDS: &[&str] = &["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
const REGEX: Keys = &[
    ("pattern", Takes::Text),
    ("no_match", Takes::Flag),
    ("options", Takes::Texts),
    ("min_offset", Takes::Number),
    ("max_offset", Takes::Number),
];
const TLS: Keys = &[
    ("server_name", Takes::Name),
    ("verify", Takes::Flag),
    ("ca", Takes::Text),
    ("certificate", Takes::Text),
    ("key", Takes::Text),
];
const LOGIN: Keys = &[("name", Takes::Text), ("password", Takes::Text)];
const REPLY: Keys = &[
    ("pattern", Takes::Text),
    ("min_length", Takes::Number),
    ("max_length", Takes::Number),
];

pub(crate) struct Regex;

impl JsonSchema for Regex {
    fn schema_name() -> Cow<'static, str> {
        "Regex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        regex().try_into().unwrap_or_default()
    }
}

/// Values with a text form of their own.
macro_rules! described {
    ($($name:ident: $schema:tt)*) => {$(
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

described! {
    Time: {
        "description": "A time such as \"2s\" or \"500ms\", or a number of seconds",
        "type": ["string", "number"]
    }
    Via: { "enum": ["direct", "vip"] }
    Status: { "type": ["integer", "string"] }
}
