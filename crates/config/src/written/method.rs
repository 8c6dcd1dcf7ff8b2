//! Forwarding methods in a word: `dr`, `nat`, `tun`, `gre`, `gre:csum`, `gue:6080`,
//! `gue:6080:remcsum`, `fullnat`.

use std::borrow::Cow;

use rlvs_control::ForwardingMethod;
use rlvs_control::model::{GueChecksum, Tunnel};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::suggest::nearest;

const WORDS: [&str; 6] = ["dr", "nat", "tun", "gre", "gue", "fullnat"];

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Method(pub(crate) ForwardingMethod);

impl Method {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let word = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        let method = match (word, &rest[..]) {
            ("dr", []) => ForwardingMethod::Route,
            ("nat", []) => ForwardingMethod::Masquerade,
            ("fullnat", []) => ForwardingMethod::FullNat,
            ("tun", []) => ForwardingMethod::Tunnel(Tunnel::Ipip),
            ("gre", []) => ForwardingMethod::Tunnel(Tunnel::Gre { checksum: false }),
            ("gre", ["csum"]) => ForwardingMethod::Tunnel(Tunnel::Gre { checksum: true }),
            ("gue", [port]) => gue(port, "nocsum").ok_or_else(|| wrong(text))?,
            ("gue", [port, checksum]) => gue(port, checksum).ok_or_else(|| wrong(text))?,
            _ => return Err(wrong(text)),
        };
        Ok(Self(method))
    }

    fn text(self) -> String {
        match self.0 {
            ForwardingMethod::Route | ForwardingMethod::Local => "dr".into(),
            ForwardingMethod::Masquerade => "nat".into(),
            ForwardingMethod::FullNat => "fullnat".into(),
            ForwardingMethod::Tunnel(Tunnel::Ipip) => "tun".into(),
            ForwardingMethod::Tunnel(Tunnel::Gre { checksum: false }) => "gre".into(),
            ForwardingMethod::Tunnel(Tunnel::Gre { checksum: true }) => "gre:csum".into(),
            ForwardingMethod::Tunnel(Tunnel::Gue { port, checksum }) => match checksum {
                GueChecksum::None => format!("gue:{port}"),
                GueChecksum::Full => format!("gue:{port}:csum"),
                GueChecksum::Remote => format!("gue:{port}:remcsum"),
            },
        }
    }
}

fn gue(port: &str, checksum: &str) -> Option<ForwardingMethod> {
    let port = port.parse().ok()?;
    let checksum = match checksum {
        "nocsum" => GueChecksum::None,
        "csum" => GueChecksum::Full,
        "remcsum" => GueChecksum::Remote,
        _ => return None,
    };
    Some(ForwardingMethod::Tunnel(Tunnel::Gue { port, checksum }))
}

fn wrong(text: &str) -> String {
    let mend = nearest(text, WORDS).map(|word| format!("; did you mean `{word}`?"));
    let mend = mend.unwrap_or_default();
    format!(
        "`{text}` is no forwarding method: there are dr, nat, tun, gre, gre:csum, gue:PORT, \
         gue:PORT:csum, gue:PORT:remcsum and fullnat{mend}"
    )
}

impl Default for Method {
    /// As `ipvsadm -a` without one.
    fn default() -> Self {
        Self(ForwardingMethod::Route)
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Method {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How packets reach a real server; dr by default",
            "type": "string",
            "pattern": "^(dr|nat|tun|gre(:csum)?|gue:[0-9]+(:(no|rem)?csum)?|fullnat)$"
        })
    }
}
