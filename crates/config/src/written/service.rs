//! `[[service]]` and `[[service.real]]`.

use std::net::{IpAddr, Ipv4Addr};

use rlvs_check::spec::Percent;
use rlvs_control::ClientAddress;
use rlvs_control::model::Family;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::keys::{Addresses, Endpoint, Marks};
use super::method::Method;
use super::options::with_options;
use super::{Either, text_or};
use crate::model::Command;

/// The scheduler unless one is named, as in ipvsadm.
pub(super) const SCHEDULER: &str = "wlc";

with_options! {
    /// A virtual service, or several alike.
    #[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields, expecting = "a table")]
    pub(crate) struct WrittenService {
        /// keepalived's name for several together, for logs and notifiers.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) group: Option<String>,
        /// Virtual addresses and ports of TCP.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) tcp: Option<Addresses>,
        /// Those of UDP.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) udp: Option<Addresses>,
        /// Those of SCTP.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) sctp: Option<Addresses>,
        /// Firewall marks of IPv4 packets.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) mark: Option<Marks>,
        /// Firewall marks of IPv6 packets.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) mark_ipv6: Option<Marks>,
        /// dh, fo, lblc, lblcr, lc, mh, none, nq, ovf, rr, sed, sh, twos, wlc (by default) or wrr.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) scheduler: Option<String>,
        /// Of flag-1, flag-2, flag-3, sh-fallback, sh-port, mh-fallback, mh-port.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub(crate) scheduler_flags: Vec<String>,
        /// Seconds that a client's choice outlives its last connection.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) persistent: Option<u32>,
        /// Which bits of an IPv4 client's address count for that; all by default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) netmask: Option<Ipv4Addr>,
        /// How many bits of an IPv6 client's address count; 128 by default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) prefix_length: Option<u8>,
        /// "sip".
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) persistence_engine: Option<String>,
        /// Each packet is scheduled for itself.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub(crate) one_packet: bool,
        /// Seconds in which the weight of a new or returning real server rises to what it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) slow_start: Option<u32>,
        /// How real servers learn the client's address under full NAT: "toa" by default, "proxy"
        /// or "none".
        #[serde(skip_serializing_if = "crate::model::vrrp::is_default")]
        #[schemars(with = "String")]
        pub(crate) client_address: ClientAddress,
        /// The director's addresses for full NAT.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub(crate) local_addresses: Vec<IpAddr>,
        /// Of real servers that name none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) method: Option<Method>,
        /// The weight of all real servers that are up, together, that it takes; 1 by default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) quorum: Option<u32>,
        /// It takes so much more to gain the quorum, and so much less to lose it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) hysteresis: Option<u32>,
        /// Run when the quorum is gained.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) quorum_up: Option<Command>,
        /// Run when it is lost.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) quorum_down: Option<Command>,
        /// What serves while the quorum is lost: an address, or a table.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) sorry_server: Option<Sorry>,
        /// Never more than this many of a hundred real servers are taken out for failed checks.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<u8>", range(max = 100))]
        pub(crate) max_down: Option<Percent>,
        /// Notifiers are told that all is down when the daemon stops.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub(crate) omega: bool,
        /// Nothing is checked while this machine does not have the virtual address.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub(crate) ha_suspend: bool,
        /// Real servers that fail get weight 0 rather than be taken out.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub(crate) inhibit_on_failure: bool,
        /// Mail is sent when the quorum is gained or lost, and when real servers go up or down.
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        pub(crate) smtp_alert: bool,
        /// Checks of real servers that have none of their own.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) check: Option<Checks>,
        /// The real servers, in the order that they are added: addresses, or tables.
        #[serde(with = "reals", skip_serializing_if = "Vec::is_empty")]
        #[schemars(with = "Vec<AnyReal>")]
        pub(crate) real: Vec<WrittenReal>,
    }
}

with_options! {
    /// A real server.
    #[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields, expecting = "a table")]
    pub(crate) struct WrittenReal {
        /// Its address, and its port where it is not the service's.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) address: Option<Endpoint>,
        /// 1 by default; 0: no new connections.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) weight: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) method: Option<Method>,
        /// No new connections at this many.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) upper_threshold: Option<u32>,
        /// New connections again below this many; at 3/4 of the upper one by default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) lower_threshold: Option<u32>,
        /// Weight 0 while it is down, rather than absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) inhibit_on_failure: Option<bool>,
        /// Run when it goes up.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) notify_up: Option<Command>,
        /// Run when it goes down.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) notify_down: Option<Command>,
        /// Mail is sent when it goes up or down; as with the service by default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) smtp_alert: Option<bool>,
        /// Its checks; `[]`: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub(crate) check: Option<Checks>,
    }
}

/// A real server as it is written: an address, or a table with more.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what the schema says of it")]
enum AnyReal {
    Address(Endpoint),
    Table(Box<WrittenReal>),
}

mod reals {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Either, Endpoint, WrittenReal, text_or};

    struct One(WrittenReal);

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<WrittenReal>, D::Error> {
        let list = Vec::<One>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|One(real)| real).collect())
    }

    impl<'de> Deserialize<'de> for One {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let of_address = |text: &str| {
                let address = Some(Endpoint::parse(text)?);
                Ok(WrittenReal {
                    address,
                    ..WrittenReal::default()
                })
            };
            let either = text_or(deserializer, "an address, or a table", of_address)?;
            Ok(Self(match either {
                Either::Text(real) | Either::Table(real) => real,
            }))
        }
    }

    pub(super) fn serialize<S: Serializer>(
        list: &[WrittenReal],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(Shortest))
    }

    /// As an address where that is enough.
    struct Shortest<'a>(&'a WrittenReal);

    impl Serialize for Shortest<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let address = self.0.address;
            let alone = WrittenReal {
                address,
                ..WrittenReal::default()
            };
            match address.filter(|_| *self.0 == alone) {
                Some(address) => address.serialize(serializer),
                None => self.0.serialize(serializer),
            }
        }
    }
}

/// An address, or a table with more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sorry(pub(crate) SorryForm);

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "an address, or a table")]
pub(crate) struct SorryForm {
    pub(crate) address: Endpoint,
    /// That of the service by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<Method>,
    /// It is there with weight 0 while it is not needed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) inhibit: bool,
}

impl<'de> Deserialize<'de> for Sorry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_address = |text: &str| {
            let address = Endpoint::parse(text)?;
            let (method, inhibit) = (None, false);
            Ok(SorryForm {
                address,
                method,
                inhibit,
            })
        };
        let either = text_or(deserializer, "an address, or a table", of_address)?;
        Ok(Self(match either {
            Either::Text(form) | Either::Table(form) => form,
        }))
    }
}

impl Serialize for Sorry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            SorryForm {
                address,
                method: None,
                inhibit: false,
            } => address.serialize(serializer),
            form => form.serialize(serializer),
        }
    }
}

impl JsonSchema for Sorry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sorry".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (address, table) = (
            generator.subschema_for::<Endpoint>(),
            generator.subschema_for::<SorryForm>(),
        );
        schemars::json_schema!({ "anyOf": [address, table] })
    }
}

/// The bits of flags by name: the scheduler's own names count only with it, as in ipvsadm.
pub(crate) fn flag_bits(names: &[String], scheduler: &str) -> Result<u8, String> {
    let mut bits = 0;
    for name in names {
        let known = FLAGS.iter().find(|flag| flag.name == name);
        let flag = known.ok_or_else(|| {
            let names = FLAGS.map(|flag| flag.name).join(", ");
            format!("there is no scheduler flag `{name}`: there are {names}")
        })?;
        if flag.scheduler.is_some_and(|only| only != scheduler) {
            return Err(format!(
                "`{name}` is no flag of the scheduler `{scheduler}`"
            ));
        }
        bits |= flag.bit;
    }
    Ok(bits)
}

/// The names of flags.
pub(crate) fn flag_names(bits: u8, scheduler: &str) -> Vec<String> {
    let mut names = Vec::new();
    for bit in [1, 2, 4] {
        let of_it = FLAGS.iter().filter(|flag| flag.bit == bit & bits);
        let own = |flag: &&Flag| flag.scheduler == Some(scheduler);
        let mut general = of_it.clone().filter(|flag| flag.scheduler.is_none());
        let name = of_it.clone().find(own).or_else(|| general.next());
        names.extend(name.map(|flag| flag.name.to_owned()));
    }
    names
}

#[derive(Clone, Copy)]
struct Flag {
    name: &'static str,
    bit: u8,
    scheduler: Option<&'static str>,
}

const fn flag(name: &'static str, bit: u8, scheduler: Option<&'static str>) -> Flag {
    Flag {
        name,
        bit,
        scheduler,
    }
}

const FLAGS: [Flag; 7] = [
    flag("flag-1", 1, None),
    flag("flag-2", 2, None),
    flag("flag-3", 4, None),
    flag("sh-fallback", 1, Some("sh")),
    flag("sh-port", 2, Some("sh")),
    flag("mh-fallback", 1, Some("mh")),
    flag("mh-port", 2, Some("mh")),
];

/// The IP version of marks.
pub(super) const MARK_FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];
