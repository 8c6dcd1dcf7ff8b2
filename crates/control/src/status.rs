//! What `rlvs status` shows: whether packets flow, where to, and if not, why.
//!
//! Everything that an operator would otherwise have to find out with other tools is here with
//! its reason: an interface without a program, a destination without a next hop, a dropped
//! packet.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::drain::Draining;
use crate::listing::LocalAddress;
use crate::model::{DestinationKey, Family, ForwardingMethod, ServiceKey};
use crate::sync::Synchronisation;

/// The state of a director.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Status {
    pub daemon: Daemon,
    /// Counts the transactions that made the rules what they are.
    #[serde(default)]
    pub number: u64,
    /// Where it is asked over TCP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listening: Vec<Listener>,
    pub interfaces: Vec<Interface>,
    /// Where services have firewall marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<MarkPath>,
    /// Where connections are synchronised with other directors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synchronisation: Option<Synchronisation>,
    /// Where the services of a configuration file are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteState>,
    /// Virtual routers that this director is part of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vrrp: Vec<VrrpInstance>,
    /// In the order they were added.
    pub services: Vec<ServiceState>,
    /// One for every IP version.
    pub connections: Vec<ConnectionTable>,
    /// Packets that went on, in the order of the data plane's counters.
    pub passed: Vec<Counter>,
    /// Packets that the director threw away.
    pub dropped: Vec<Counter>,
}

/// The process that answers.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Daemon {
    pub version: String,
    pub pid: u32,
    pub uptime_seconds: u64,
    pub network_namespace: NetworkNamespace,
}

/// The network namespace that a director works in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct NetworkNamespace {
    /// The kernel's cookie of it, which names the director's directories.
    pub cookie: u64,
    /// As `ip netns` knows it, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An address over TCP at which the director answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Listener {
    pub address: SocketAddr,
    pub what: Answers,
}

/// What is answered there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// The API, in the clear: only on this host.
    Api,
    ApiOverTls,
    Metrics,
}

/// A network interface that the director knows.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    #[serde(rename = "mode")]
    pub attachment: Attachment,
    /// Why so.
    pub reason: String,
}

/// How packets with the firewall marks of services get to the director.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct MarkPath {
    /// The interface that they are led to.
    pub device: String,
    /// What leads them there.
    pub rules: Vec<MarkRule>,
    /// Why they do not get there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A rule of routing that the director has set.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct MarkRule {
    pub family: Family,
    /// As `ip rule` prints it.
    pub rule: String,
}

/// The file whose services a director does, and the health of its real servers.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SiteState {
    pub path: PathBuf,
    /// Counts sites that were applied, and restarts.
    pub number: u64,
    /// Health checks that are made; one for several services counts once.
    pub checks: usize,
    pub failing: Vec<FailingCheck>,
    /// Virtual servers that are not whole.
    pub troubled: Vec<TroubledServer>,
    /// Addresses that this machine has by the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressState>,
}

/// An address that this machine is to have.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct AddressState {
    /// With the length of its network.
    pub address: String,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The director has put it there, and takes it away; else it was there.
    pub put: bool,
    /// Why it is nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A virtual router that this director is part of.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct VrrpInstance {
    pub name: String,
    /// Those that go with it have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub interface: String,
    /// Of the protocol: 2 or 3.
    pub version: u8,
    pub virtual_router_id: u8,
    pub state: VrrpState,
    pub since_seconds: u64,
    /// Why it has that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// With what is tracked.
    pub priority: u8,
    /// What it sends from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Who was heard last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_priority: Option<u8>,
    /// Why it does not take over though there is no master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// It was handed over, and does not take over again from a lower priority.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub handed_over: bool,
    /// Virtual addresses, with the lengths of their networks.
    pub addresses: Vec<String>,
    /// What of them cannot be put on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    pub transitions: u64,
    pub sent: u64,
    /// Advertisements that the kernel did not take.
    pub not_sent: u64,
    /// Also those that are refused.
    pub received: u64,
    /// Advertisements that were not heard, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
}

/// RFC 5798, and keepalived's fault.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VrrpState {
    /// It waits for what it tracks, or has ended.
    Init,
    Backup,
    Master,
    /// Something is in its way.
    Fault,
}

impl VrrpState {
    /// As keepalived has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        }
    }
}

impl fmt::Display for VrrpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A health check that fails.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FailingCheck {
    pub target: SocketAddr,
    /// As in rlvs.toml: `http`, `tcp`.
    pub kind: String,
    /// What it said last, if this daemon has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A virtual server some of whose real servers do not serve, or that lacks its quorum.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct TroubledServer {
    /// The first of its services.
    pub service: ServiceKey,
    pub quorum: bool,
    /// The sorry server serves instead of all.
    pub sorry: bool,
    pub down: Vec<SocketAddr>,
    /// Failing, but kept: too many are down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<SocketAddr>,
    /// How many real servers it has.
    pub servers: usize,
}

/// How the director's program sits on an interface.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// XDP in the driver.
    Native,
    /// XDP in the kernel's general receive path.
    Generic,
    /// In traffic control: slower, works everywhere.
    Tc,
    /// Not at all: packets that arrive here are not balanced.
    Detached,
}

/// A virtual service and where its packets go.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ServiceState {
    pub key: ServiceKey,
    pub scheduler: String,
    /// It is the file's, not made by hand.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub from_file: bool,
    /// In the kernel's order: the one added last comes first.
    pub destinations: Vec<DestinationState>,
    /// Full NAT: in the order they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local_addresses: Vec<LocalAddress>,
}

impl ServiceState {
    /// Full NAT takes place, and nothing stands for clients: their packets are dropped.
    pub fn lacks_local_addresses(&self) -> bool {
        let mut methods = self.destinations.iter().map(|it| it.method);
        self.local_addresses.is_empty() && methods.any(|it| it == ForwardingMethod::FullNat)
    }
}

/// A real server of one service.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct DestinationState {
    #[serde(flatten)]
    pub key: DestinationKey,
    pub method: ForwardingMethod,
    pub weight: u32,
    pub active_connections: u32,
    pub inactive_connections: u32,
    pub next_hop: NextHop,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<Draining>,
    /// It is new or back, and has not all of its weight yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<SlowStart>,
    /// The largest IP packet for the way there, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_mtu: Option<u32>,
}

/// A destination on the way to its weight.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SlowStart {
    /// How much of its weight schedulers give it.
    pub percent: u32,
    pub seconds_left: u64,
}

/// Where a destination's frames are sent.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum NextHop {
    Resolved {
        interface: String,
        /// As `ip link` prints it: `02:00:00:00:00:01`.
        mac: String,
    },
    /// Nowhere: the destination is this host, packets for it go to its stack.
    Local,
    /// Packets for this destination are dropped and counted.
    Unresolved { reason: String },
}

/// The connections of one IP version.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ConnectionTable {
    pub family: Family,
    /// Connections in it now.
    pub entries: u64,
    /// Connections it is made for.
    pub size: u64,
    /// Places there are, with the slack that keeps buckets from filling up.
    pub slots: u64,
    /// Kernel memory.
    pub bytes: u64,
    /// Connections ended early to make room for new ones.
    pub evicted: u64,
    /// Connections and templates ended early because memory was short (`net.ipv4.vs.drop_entry`).
    pub thinned: u64,
    /// Packets forwarded without an entry because there was no room.
    pub stateless: u64,
}

/// Packets that met one fate.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Counter {
    /// Short and stable, for programs: `no-next-hop`.
    pub reason: String,
    /// The same for a person.
    pub meaning: String,
    pub packets: u64,
}
