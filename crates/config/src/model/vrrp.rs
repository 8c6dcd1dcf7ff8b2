//! VRRP: instances, groups of them, and what they watch. Read and kept, and acted on by the part
//! of rlvs that speaks VRRP.

pub mod address;
pub mod auth_hmac;
pub mod instance;
pub mod track;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use address::VirtualAddress;
pub use auth_hmac::AuthHmac;
pub use instance::{Authentication, Garp, Instance, Ipvlan, Notify, Peer, Vmac};
pub use track::{Bfd, Process, Script, Track, TrackFile, Watched};

/// `[vrrp]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Vrrp {
    #[serde(skip_serializing_if = "is_default")]
    pub defaults: Defaults,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instance: Vec<Instance>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sync_group: Vec<SyncGroup>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<Script>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub track_file: Vec<TrackFile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub track_process: Vec<Process>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bfd: Vec<Bfd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub garp_group: Vec<GarpGroup>,
    /// Names of instances that watch what is marked with the group's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub track_group: Vec<TrackGroup>,
    /// Routes of the machine, whoever is master, in the words of `ip route add`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub static_routes: Vec<String>,
    /// Rules, in the words of `ip rule add`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub static_rules: Vec<String>,
    /// Interfaces whose carrier is asked for rather than waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub linkbeat_interfaces: Vec<String>,
    /// `interface_up_down_delays`: changes of interfaces that count only if they last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interface_delay: Vec<InterfaceDelay>,
}

impl Vrrp {
    /// Adds what another file says.
    pub(crate) fn extend(&mut self, more: Self) {
        if more.defaults != Defaults::default() {
            self.defaults = more.defaults;
        }
        self.instance.extend(more.instance);
        self.sync_group.extend(more.sync_group);
        self.script.extend(more.script);
        self.track_file.extend(more.track_file);
        self.track_process.extend(more.track_process);
        self.bfd.extend(more.bfd);
        self.garp_group.extend(more.garp_group);
        self.track_group.extend(more.track_group);
        self.static_routes.extend(more.static_routes);
        self.static_rules.extend(more.static_rules);
        self.linkbeat_interfaces.extend(more.linkbeat_interfaces);
        self.interface_delay.extend(more.interface_delay);
    }
}

/// What instances have that say nothing else.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Defaults {
    /// 2 or 3; 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcast_group4: Option<std::net::Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcast_group6: Option<std::net::Ipv6Addr>,
    /// Interface of addresses that name none; eth0 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub garp: Garp,
    /// Between two gratuitous ARPs, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub garp_interval: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gna_interval: Option<f64>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub min_garp: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_timer_adverts: Option<u8>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub lower_prio_no_advert: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub higher_prio_send_advert: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub check_unicast_src: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub skip_check_adv_addr: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub strict: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub notify_priority_changes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_alert: Option<bool>,
    /// Seconds before instances start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_delay: Option<f64>,
    /// Seconds after its start that a director waits at most for its health checks and connections
    /// before it takes over; 60 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_within: Option<f64>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub dynamic_interfaces: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub fifo_states_on_reload: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub log_unknown_vrids: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmac_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmac_addr_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_daemon: Option<SyncDaemon>,
}

/// `lvs_sync_daemon`
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct SyncDaemon {
    pub interface: String,
    /// It is master or backup as this one is; both without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maxlen: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<std::net::IpAddr>,
}

/// `vrrp_sync_group`: instances that go together.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct SyncGroup {
    pub name: String,
    /// Names of instances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub track: Track,
    #[serde(skip_serializing_if = "is_default")]
    pub notify: Notify,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_priority_changes: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_alert: Option<bool>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub tracking_weight: bool,
}

/// `garp_group`: interfaces that share a limit of gratuitous ARPs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct GarpGroup {
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub garp_interval: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gna_interval: Option<f64>,
    pub interfaces: Vec<String>,
}

/// How long an interface has to be otherwise before that counts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct InterfaceDelay {
    pub interface: String,
    /// Seconds.
    pub down: f64,
    /// As long as `down` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<f64>,
}

/// `track_group`: instances that are in fault while a static address, route or rule that is marked
/// with its name is not there.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct TrackGroup {
    pub name: String,
    pub group: Vec<String>,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
