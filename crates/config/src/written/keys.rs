//! Addresses with ports, and marks: one or a list, ranges in short.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::range;

/// `"192.0.2.1:80"`, or a list of these; all are written out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Addresses(pub(crate) Vec<SocketAddr>);

/// `7`, or a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Marks(pub(crate) Vec<u32>);

/// `"10.0.0.1:80"`, or without its port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split(text)?;
        let address = host.parse().map_err(|_| {
            format!("`{text}` is no address: write 10.0.0.1:80, [2001:db8::1]:80 or 10.0.0.1")
        })?;
        Ok(Self { address, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

impl Addresses {
    fn add(&mut self, text: &str) -> Result<(), String> {
        let (hosts, port) = split(text)?;
        let port = port.unwrap_or(0);
        let addresses = range::addresses(hosts)?.into_iter();
        self.0
            .extend(addresses.map(|address| SocketAddr::new(address, port)));
        Ok(())
    }
}

/// Host and port.
fn split(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| format!("`{text}`: the `]` is missing"))?;
        (host, rest.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (text, None),
        }
    };
    let number = |port: &str| {
        port.parse::<u16>()
            .map_err(|_| format!("`{text}`: `{port}` is no port: write a number from 0 to 65535"))
    };
    Ok((host, port.map(number).transpose()?))
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |address: &SocketAddr| match address.port() {
            0 => address.ip().to_string(),
            _ => address.to_string(),
        };
        match &self.0[..] {
            [one] => serializer.serialize_str(&text(one)),
            several => serializer.collect_seq(several.iter().map(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddressList)
    }
}

struct AddressList;

impl<'de> Visitor<'de> for AddressList {
    type Value = Addresses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address with its port such as \"192.0.2.1:80\", or a list of these")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Addresses, E> {
        let mut addresses = Addresses::default();
        addresses.add(text).map_err(E::custom)?;
        Ok(addresses)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Addresses, S::Error> {
        let mut addresses = Addresses::default();
        while let Some(text) = list.next_element::<Cow<'de, str>>()? {
            addresses.add(&text).map_err(S::Error::custom)?;
        }
        Ok(addresses)
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => serializer.serialize_u32(*one),
            several => serializer.collect_seq(several),
        }
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarkList)
    }
}

struct MarkList;

impl<'de> Visitor<'de> for MarkList {
    type Value = Marks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a firewall mark from 1 to 4294967295, or a list of these")
    }

    fn visit_i64<E: Error>(self, mark: i64) -> Result<Marks, E> {
        let wrong = |_| E::invalid_value(Unexpected::Signed(mark), &self);
        u32::try_from(mark)
            .map(|mark| Marks(vec![mark]))
            .map_err(wrong)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Marks, S::Error> {
        let mut marks = Vec::new();
        while let Some(mark) = list.next_element()? {
            marks.push(mark);
        }
        Ok(Marks(marks))
    }
}

impl JsonSchema for Endpoint {
    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "10.0.0.1:80, [2001:db8::1]:80; without a port, that of the service",
            "type": "string"
        })
    }
}

impl JsonSchema for Addresses {
    fn schema_name() -> Cow<'static, str> {
        "Addresses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "192.0.2.1:80, [2001:db8::1]:80, 192.0.2.1-10:80, 192.0.2.8/29:80, or a \
                list of these; without a port, all ports",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

impl JsonSchema for Marks {
    fn schema_name() -> Cow<'static, str> {
        "Marks".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mark = json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
        json_schema!({
            "description": "A firewall mark, or a list of these",
            "anyOf": [mark, { "type": "array", "items": mark }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        for (text, expected) in [
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("10.0.0.1", "10.0.0.1"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "",
            "web:80",
            "10.0.0.1:http",
            "10.0.0.1:65536",
            "[2001:db8::1",
            "10.0.0.1:",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
