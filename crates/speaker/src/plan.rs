//! What is to be spoken, with nothing left to default.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rlvs_check::spec::Script;
use rlvs_config::model::VirtualAddress;
use rlvs_config::model::vrrp::Process;
use rlvs_host::address::{AddressFlags, Setting};
use rlvs_vrrp::{GroupSpec, Spec};

/// All instances and groups, and what they watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub instances: Vec<Instance>,
    pub groups: Vec<Group>,
    pub watches: Vec<Watch>,
    /// Between two announcements.
    pub paces: Vec<Pace>,
    /// Routes and rules that are there whoever is master.
    pub statics: Arc<Placement>,
    /// What of these, and of the machine's own addresses, instances watch.
    pub static_groups: Vec<StaticGroup>,
    pub delays: Vec<Delay>,
    /// Advertisements for virtual routers that are none of ours are told once.
    pub logs_unknown: bool,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub name: String,
    pub interface: String,
    pub spec: Spec,
    /// The address to send from, where it is configured.
    pub source: Option<IpAddr>,
    /// It is in fault while that is not there.
    pub track_source: bool,
    /// What `spec.track` is of.
    pub tracked: Vec<Subject>,
    pub placement: Arc<Placement>,
    pub vmac: Option<Vmac>,
    /// For addresses that are on other interfaces.
    pub address_vmacs: Vec<Vmac>,
    pub ipvlan: Option<Ipvlan>,
    /// Interfaces that keep their other addresses when one of them goes.
    pub promotes: Vec<String>,
}

/// An interface with a virtual MAC address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vmac {
    pub name: String,
    /// The interface that it is on.
    pub parent: String,
    pub mac: [u8; 6],
    /// For IPv6.
    pub v6: bool,
    /// Advertisements go by it.
    pub sends: bool,
}

/// An interface of its own with the MAC address of the one below.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ipvlan {
    pub name: String,
    pub parent: String,
    /// What it sends from, with the length of its network.
    pub address: Option<(IpAddr, u8)>,
    pub mode: IpvlanMode,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IpvlanMode {
    Bridge,
    Private,
    Vepa,
}

/// What instances watch of the machine's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StaticGroup {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    /// In the words of the placement.
    pub routes: Vec<String>,
    pub rules: Vec<String>,
}

/// How long an interface has to be otherwise before that counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delay {
    pub interface: String,
    pub down: Duration,
    pub up: Duration,
}

/// Instances that go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub name: String,
    /// Names of instances.
    pub members: Vec<String>,
    pub spec: GroupSpec,
    /// What `spec.track` is of.
    pub tracked: Vec<Subject>,
}

/// Something that is tracked.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    Interface(String),
    Script(String),
    File(String),
    Process(String),
    /// A virtual server has its quorum.
    Service(String),
    /// Those of a group are there.
    StaticAddresses(String),
    StaticRoutes(String),
}

/// What is on the machine while an instance is master.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    pub addresses: Vec<Place>,
    /// In the words of `ip route add`.
    pub routes: Vec<String>,
    /// In the words of `ip rule add`.
    pub rules: Vec<String>,
    /// Packets to the addresses are dropped, unless they are a service's.
    pub closed: bool,
    pub again: Option<Again>,
}

/// Neighbours are told again and again of addresses on these interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    pub every: Duration,
    pub interfaces: Vec<String>,
}

/// An address on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub interface: String,
    pub setting: Setting,
}

/// Something outside that is watched.
#[derive(Clone, Debug, PartialEq)]
pub enum Watch {
    Script(WatchedScript),
    File {
        name: String,
        path: PathBuf,
        init: Option<Init>,
    },
    Process(Process),
}

/// The number that a file begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Init {
    pub number: i64,
    /// Also if there is a file.
    pub overwrite: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WatchedScript {
    pub name: String,
    pub script: Script,
    pub interval: Duration,
    pub timeout: Duration,
    /// So many that succeed, or fail, one after another.
    pub rise: u32,
    pub fall: u32,
    /// It counts as failed until it succeeds.
    pub init_fail: bool,
}

/// How fast neighbours are told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// On these interfaces together; on each by itself, if none is named.
    pub interfaces: Vec<String>,
    pub garp: Duration,
    pub gna: Duration,
}

impl Plan {
    /// Names of virtual servers that someone tracks.
    pub fn tracked_services(&self) -> Vec<String> {
        let own = self.instances.iter().flat_map(|it| &it.tracked);
        let all = own.chain(self.groups.iter().flat_map(|it| &it.tracked));
        let name = |subject: &Subject| match subject {
            Subject::Service(name) => Some(name.clone()),
            _ => None,
        };
        all.filter_map(name).collect()
    }

    /// Whether routes or rules are to be put here, by anyone.
    pub(crate) fn has_words(&self) -> bool {
        let placements = self.instances.iter().map(|it| &it.placement);
        let mut all = placements.chain([&self.statics]);
        all.any(|it| !it.routes.is_empty() || !it.rules.is_empty())
    }

    /// All addresses that come and go: none of them is one to send from.
    pub(crate) fn is_virtual(&self, address: IpAddr) -> bool {
        let places = self.instances.iter().flat_map(|it| &it.placement.addresses);
        let mut virtuals = places.map(|place| place.setting.address);
        virtuals.any(|it| it == address)
    }
}

impl Instance {
    /// Whether it can go on as the other: nobody outside takes it for another virtual router.
    pub fn is_same_router(&self, other: &Self) -> bool {
        let identity = |it: &Self| {
            let spec = &it.spec;
            let of = (spec.virtual_router, spec.family, spec.version);
            let on = (it.interface.clone(), it.vmac.clone(), it.ipvlan.clone());
            (it.name.clone(), on, it.address_vmacs.clone(), of)
        };
        identity(self) == identity(other)
    }
}

impl Watch {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Script(script) => Subject::Script(script.name.clone()),
            Self::File { name, .. } => Subject::File(name.clone()),
            Self::Process(process) => Subject::Process(process.name.clone()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Script(name) => write!(f, "script {name}"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Process(name) => write!(f, "process {name}"),
            Self::Service(name) => write!(f, "service {name}"),
            Self::StaticAddresses(name) => write!(f, "an address of track_group {name}"),
            Self::StaticRoutes(name) => write!(f, "a route or rule of track_group {name}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting {
            address, length, ..
        } = &self.setting;
        write!(f, "{address}/{length}")
    }
}

/// An address of the configuration as the kernel takes it.
pub fn setting(address: &VirtualAddress) -> Setting {
    let flags = [
        ("home", AddressFlags::Homeaddress),
        ("mngtmpaddr", AddressFlags::Managetempaddr),
        ("noprefixroute", AddressFlags::Noprefixroute),
        ("autojoin", AddressFlags::Mcautojoin),
    ];
    let chosen = flags.into_iter().filter(|(name, _)| address.has(name));
    let chosen = chosen.fold(AddressFlags::empty(), |all, (_, flag)| all | flag);
    // Others may have it as well.
    let shared = match address.ip().is_ipv6() && !address.has("-nodad") {
        true => AddressFlags::Nodad,
        false => AddressFlags::empty(),
    };
    Setting {
        address: address.ip(),
        length: address.address.prefix_len(),
        peer: address.peer.map(|net| (net.addr(), net.prefix_len())),
        broadcast: address.broadcast_address(),
        label: address.label.clone(),
        scope: address.scope_number(),
        preferred: address.preferred_seconds(),
        flags: chosen | shared,
    }
}
