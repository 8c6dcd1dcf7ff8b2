//! `vrrp_instance`, as far as files say it; nothing is settled yet.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Command;
use super::{AuthHmac, Track, VirtualAddress, is_default};

/// One virtual router.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Instance {
    pub name: String,
    /// "MASTER" or "BACKUP".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_router_id: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// 2 or 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advert_int: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_ipaddress: Vec<VirtualAddress>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_ipaddress_excluded: Vec<VirtualAddress>,
    /// In the words of `ip route add`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_routes: Vec<String>,
    /// In the words of `ip rule add`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_hmac: Option<AuthHmac>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcast_src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcast_dst_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicast_src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unicast_peer: Vec<Peer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unicast_ttl: Option<u8>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub unicast_fault_no_peer: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub check_unicast_src: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub track_src_ip: bool,
    /// "on" or "never".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_unicast_checksum: Option<String>,
    /// Checksums of version 3 are over the message alone, also with IPv4, as RFC 9568 and some
    /// routers have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v3_checksum_as_v2: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmac: Option<Vmac>,
    /// `use_ipvlan`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipvlan: Option<Ipvlan>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub native_ipv6: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub dont_track_primary: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub linkbeat_use_polling: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub track: Track,
    #[serde(skip_serializing_if = "is_default")]
    pub garp: Garp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_timer_adverts: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_prio_no_advert: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub higher_prio_send_advert: Option<bool>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub promote_secondaries: bool,
    /// Whether packets to the virtual addresses are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<bool>,
    /// Whether a higher priority takes over; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preempt: Option<bool>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preempt_delay: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_check_adv_addr: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_mode: Option<bool>,
    #[serde(skip_serializing_if = "is_default")]
    pub notify: Notify,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_priority_changes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_alert: Option<bool>,
}

/// `authentication` of version 2.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Authentication {
    /// "PASS" or "AH".
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
}

/// A peer that adverts are sent to one by one.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Peer {
    pub address: IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ttl: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<u8>,
}

/// An interface with the virtual router's MAC address.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Vmac {
    /// `use_vmac`: for the adverts, and addresses of this interface.
    pub adverts: bool,
    /// The interface's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// `use_vmac_addr`: also on other interfaces with addresses.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub addresses: bool,
    /// `vmac_xmit_base`: adverts go by the interface below.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub xmit_base: bool,
}

/// An interface of its own, with the MAC address of the one below.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Ipvlan {
    /// The interface's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What adverts are sent from; IPv6 needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<ipnet::IpNet>,
    /// "bridge" (by default), "private" or "vepa".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Gratuitous ARPs and neighbour advertisements.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Garp {
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_delay: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_repeat: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_prio_delay: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_prio_repeat: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_refresh: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_refresh_repeat: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_if: Option<u32>,
    /// That for all interfaces, not only those with a MAC address of their own.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub extra_if_all: bool,
}

/// What is run when the state changes.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Notify {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Command>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Command>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Command>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Command>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Command>,
    /// Those that are deleted are told as DELETED rather than FAULT.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub tell_deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_rx_lower_pri: Option<Command>,
    /// For any change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any: Option<Command>,
}
