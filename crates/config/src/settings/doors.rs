//! `[api]`, `[metrics]` and `[log]`: what a daemon tells the world outside, and to whom.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[api]`: the director's API over TCP, beside the unix socket.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Api {
    /// Where to listen; without a certificate only at addresses of this host itself, such as
    /// 127.0.0.1:7443.
    #[serde(skip_serializing_if = "Listen::is_empty")]
    pub listen: Listen,
    /// A file in PEM with the certificate and its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// A file in PEM with the certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The file with the hashes of tokens, to which `rlvs token` adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
}

/// `[metrics]`: counters for Prometheus, at /metrics, for everybody who can connect.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Metrics {
    #[serde(skip_serializing_if = "Listen::is_empty")]
    pub listen: Listen,
    /// Whether each real server of each service has its own.
    pub destinations: bool,
}

/// `[log]`: what the daemon says of itself, on its standard error.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Log {
    pub format: LogFormat,
    /// How important it must be.
    pub level: LogLevel,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    /// An object of JSON.
    Json,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `"127.0.0.1:7443"`, or a list of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listen(pub Vec<SocketAddr>);

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            destinations: true,
        }
    }
}

impl Listen {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add<E: Error>(&mut self, text: &str) -> Result<(), E> {
        let address: SocketAddr = text.parse().map_err(|_| {
            E::custom(format!(
                "`{text}` is no address with a port: write 127.0.0.1:7443 or [::1]:7443"
            ))
        })?;
        if address.port() == 0 || self.0.contains(&address) {
            return Err(E::custom(format!(
                "`{text}` has the port 0, or is there twice"
            )));
        }
        self.0.push(address);
        Ok(())
    }
}

/// `[api]`, whole: what is said must be usable.
pub(crate) fn api<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Api, D::Error> {
    let api = Api::deserialize(deserializer)?;
    wrong(&api).map_or(Ok(()), |wrong| Err(D::Error::custom(wrong)))?;
    Ok(api)
}

fn wrong(api: &Api) -> Option<String> {
    let files = [&api.certificate, &api.key, &api.tokens];
    let relative = files.into_iter().flatten().find(|it| !it.is_absolute());
    if let Some(path) = relative {
        let path = Path::display(path);
        return Some(format!("`{path}` is no whole path: begin it with `/`"));
    }
    if api.certificate.is_some() != api.key.is_some() {
        return Some("`certificate` and `key` go together: name both files".to_owned());
    }
    let first = api.listen.0.first()?;
    if api.tokens.is_none() {
        return Some(format!(
            "who asks at {first} says so by a token: name a file of `tokens`, which `rlvs token` \
             makes"
        ));
    }
    let outside = api.listen.0.iter().find(|it| !it.ip().is_loopback())?;
    api.certificate.is_none().then(|| {
        format!(
            "{outside} can be reached from outside, and tokens must not be read on the way: name \
             `certificate` and `key`, or listen at 127.0.0.1 or [::1]"
        )
    })
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.collect_str(one),
            several => serializer.collect_seq(several),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListenVisitor)
    }
}

struct ListenVisitor;

impl<'de> Visitor<'de> for ListenVisitor {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address with its port such as \"127.0.0.1:7443\", or a list of these")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Listen, E> {
        let mut listen = Listen::default();
        listen.add(text)?;
        Ok(listen)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Listen, S::Error> {
        let mut listen = Listen::default();
        while let Some(text) = list.next_element::<String>()? {
            listen.add(&text)?;
        }
        Ok(listen)
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "127.0.0.1:7443, [::1]:7443, or a list of these",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}
