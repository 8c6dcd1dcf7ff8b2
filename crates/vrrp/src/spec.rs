//! What a virtual router is, with keepalived's names and defaults.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use crate::packet::sum::GROUP4;
use crate::packet::{HOP_LIMIT, Key, Sum, Version};
use crate::signing::{Signing, WrongSigning};

/// The priority of who owns the addresses.
pub const OWNER: u8 = 255;

const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The longest interval of version 2, and of version 3, which has 12 bits for it.
const LONGEST2: Duration = Duration::from_secs(255);
const LONGEST3: Duration = Duration::from_millis(40_950);
const SHORTEST3: Duration = Duration::from_millis(10);

/// One virtual router, as this director is to be part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub version: Version,
    pub family: Family,
    /// `virtual_router_id`: 1 to 255.
    pub virtual_router: u8,
    /// 1 to 254, or 255: the addresses are this director's own.
    pub priority: u8,
    /// `state MASTER`: an owner is master at once. Others wait all the same (keepalived 2.2.7).
    pub begins_as_master: bool,
    /// `advert_int`.
    pub interval: Duration,
    /// `virtual_ipaddress`: those that advertisements list. What else comes and goes with them
    /// (`virtual_ipaddress_excluded`, routes, rules) is no matter of the protocol.
    pub addresses: Vec<IpAddr>,
    pub to: To,
    pub authentication: Authentication,
    /// `auth_hmac`: advertisements are signed.
    pub signing: Option<Signing>,
    /// `v3_checksum_as_v2`: no pseudo header in version 3 over IPv4, as some other routers have it.
    pub checksum_as_v2: bool,
    pub old_unicast_checksum: OldChecksum,
    /// Whether it takes over from a master of lower priority (`nopreempt`).
    pub preempt: bool,
    /// It bears a master of lower priority for so long. Where there is none, it waits no longer than
    /// others (keepalived 2.2.7, against its manual).
    pub preempt_delay: Duration,
    /// Packets to the addresses are taken though it does not own them.
    pub accept: bool,
    /// After so many intervals without advertisements, and a bit more, the master has gone.
    pub down_timer_adverts: u8,
    /// A master does not answer a lower priority's advertisement.
    pub lower_prio_no_advert: bool,
    /// A master says good-bye by an advertisement when it hears a higher priority's.
    pub higher_prio_send_advert: bool,
    /// The addresses that the master lists are compared once only.
    pub skip_check_adv_addr: bool,
    /// It does nothing for so long after the start.
    pub startup_delay: Duration,
    pub announcements: Announcements,
    /// `dont_track_primary`, turned round: it is in fault while its own interface is down.
    pub track_primary: bool,
    pub track: Vec<Tracked>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

/// Where advertisements go.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// `mcast_dst_ip`.
    Group(IpAddr),
    /// To each of `unicast_peer`, with `unicast_ttl`. Without any it is in fault
    /// (`unicast_fault_no_peer`).
    Peers {
        peers: Vec<Peer>,
        hop_limit: u8,
        /// Who is no peer is not heard. keepalived wants to be told so (`check_unicast_src`), and is
        /// also by a peer with a hop limit.
        check_source: bool,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    pub address: IpAddr,
    pub min_ttl: u8,
    pub max_ttl: u8,
}

impl Peer {
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            min_ttl: 0,
            max_ttl: u8::MAX,
        }
    }

    fn has_limit(&self) -> bool {
        (self.min_ttl, self.max_ttl) != (0, u8::MAX)
    }
}

/// `authentication`, of version 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authentication {
    None,
    /// `auth_type PASS`
    Password(Key),
    /// `auth_type AH`
    Header(Key),
}

/// `old_unicast_checksum`: how keepalived up to 1.3.6 sums version 3 up for peers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OldChecksum {
    /// It is taken, and answered in kind.
    #[default]
    Auto,
    /// It is sent.
    On,
    /// It is refused.
    Never,
}

/// Gratuitous ARPs, and neighbour advertisements that nobody asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcements {
    /// `garp_master_delay`: they are repeated after so long; not at all if it is 0.
    pub master_delay: Duration,
    /// `garp_master_repeat`: how many at a time.
    pub master_repeat: u32,
    /// `garp_lower_prio_delay` and `_repeat`: the same after a lower priority's advertisement; as
    /// above by default.
    pub lower_prio_delay: Option<Duration>,
    pub lower_prio_repeat: Option<u32>,
    /// `garp_master_refresh`: so often while it is master; never if it is 0.
    pub master_refresh: Duration,
    pub master_refresh_repeat: u32,
}

impl Default for Announcements {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            lower_prio_delay: None,
            lower_prio_repeat: None,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
        }
    }
}

impl Announcements {
    /// `vrrp_min_garp`: one, and no second.
    pub fn min() -> Self {
        Self {
            master_delay: Duration::ZERO,
            master_repeat: 1,
            ..Self::default()
        }
    }
}

/// Something outside that counts: an interface, script, process, service or BFD session that is up
/// or down, or a file with a number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tracked {
    /// 0: it is in fault while that is down. Positive: so much is added to the priority while it is
    /// up; negative: taken from it while it is down. A file's number is multiplied by it.
    pub weight: i32,
    /// Up counts as down with weight 0; what would be added is taken, and the other way round.
    pub reverse: bool,
}

impl Spec {
    /// With keepalived's defaults of all else: version 2 for IPv4, 3 for IPv6.
    pub fn new(virtual_router: u8, addresses: Vec<IpAddr>) -> Self {
        let family = addresses.first().map_or(Family::V4, |it| Family::of(*it));
        let (version, group) = match family {
            Family::V4 => (Version::V2, GROUP4.into()),
            Family::V6 => (Version::V3, GROUP6.into()),
        };
        Self {
            version,
            family,
            virtual_router,
            priority: 100,
            begins_as_master: false,
            interval: Duration::from_secs(1),
            addresses,
            to: To::Group(group),
            authentication: Authentication::None,
            signing: None,
            checksum_as_v2: false,
            old_unicast_checksum: OldChecksum::default(),
            preempt: true,
            preempt_delay: Duration::ZERO,
            accept: true,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            skip_check_adv_addr: false,
            startup_delay: Duration::ZERO,
            announcements: Announcements::default(),
            track_primary: true,
            track: Vec::new(),
        }
    }

    /// What cannot be.
    pub fn check(&self) -> Result<(), Wrong> {
        if self.virtual_router == 0 {
            return Err(Wrong::VirtualRouter);
        }
        if self.priority == 0 {
            return Err(Wrong::Priority);
        }
        match self.version {
            Version::V2 if self.family == Family::V6 => return Err(Wrong::VersionOfFamily),
            Version::V2 => {
                let whole = self.interval.subsec_nanos() == 0;
                if !whole || self.interval.is_zero() || self.interval > LONGEST2 {
                    return Err(Wrong::Seconds(self.interval));
                }
            }
            Version::V3 => {
                let whole = self
                    .interval
                    .as_nanos()
                    .is_multiple_of(SHORTEST3.as_nanos());
                if !whole || self.interval < SHORTEST3 || self.interval > LONGEST3 {
                    return Err(Wrong::Hundredths(self.interval));
                }
                if self.authentication != Authentication::None {
                    return Err(Wrong::Authentication);
                }
            }
        }
        if let Some(signing) = &self.signing {
            if self.authentication != Authentication::None {
                return Err(Wrong::TwoAuthentications);
            }
            signing.check().map_err(Wrong::Signing)?;
        }
        if !(1..=100).contains(&self.down_timer_adverts) {
            return Err(Wrong::DownTimer(self.down_timer_adverts));
        }
        if self.addresses.len() > u8::MAX.into() {
            return Err(Wrong::Addresses(self.addresses.len()));
        }
        self.check_families()
    }

    fn check_families(&self) -> Result<(), Wrong> {
        let (group, peers) = match &self.to {
            To::Group(group) if !group.is_multicast() => return Err(Wrong::Group(*group)),
            To::Group(group) => (Some(*group), &[][..]),
            To::Peers { peers, .. } => (None, &peers[..]),
        };
        let peers = peers.iter().map(|peer| peer.address);
        let mut all = self.addresses.iter().copied().chain(group).chain(peers);
        match all.find(|address| Family::of(*address) != self.family) {
            Some(address) => Err(Wrong::Family(address)),
            None => Ok(()),
        }
    }

    pub fn owner(&self) -> bool {
        self.priority == OWNER
    }

    /// Whether packets to the virtual addresses are taken.
    pub fn accepts(&self) -> bool {
        self.accept || self.owner()
    }

    /// Over what checksums are made, until a peer makes it in the old way.
    pub(crate) fn sum(&self) -> Sum {
        match (self.version, self.family, &self.to) {
            (Version::V2, ..) => Sum::Message,
            (Version::V3, Family::V6, _) => Sum::PseudoHeader,
            (Version::V3, Family::V4, _) if self.checksum_as_v2 => Sum::Message,
            (Version::V3, Family::V4, To::Peers { .. })
                if self.old_unicast_checksum == OldChecksum::On =>
            {
                Sum::GroupsPseudoHeader
            }
            (Version::V3, Family::V4, _) => Sum::PseudoHeader,
        }
    }

    pub(crate) fn knows_old_checksum(&self) -> bool {
        self.old_unicast_checksum != OldChecksum::Never
            && !self.checksum_as_v2
            && matches!(self.to, To::Peers { .. })
    }

    /// Whether it sums up as the last peer that was heard does.
    pub(crate) fn answers_in_kind(&self) -> bool {
        self.knows_old_checksum() && self.old_unicast_checksum == OldChecksum::Auto
    }

    /// Where advertisements go, with which hop limit.
    pub(crate) fn destinations(&self) -> Vec<(IpAddr, u8)> {
        match &self.to {
            To::Group(group) => vec![(*group, HOP_LIMIT)],
            To::Peers {
                peers, hop_limit, ..
            } => peers.iter().map(|it| (it.address, *hop_limit)).collect(),
        }
    }

    /// The skew of a priority: a router waits the longer the less it has.
    pub(crate) fn skew(&self, priority: u8, master_interval: Duration) -> Duration {
        let unit = match self.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => master_interval,
        };
        unit * (256 - u32::from(priority)) / 256
    }

    /// Without advertisements for so long, the master has gone.
    pub(crate) fn master_down(&self, priority: u8, master_interval: Duration) -> Duration {
        master_interval * self.down_timer_adverts.into() + self.skew(priority, master_interval)
    }
}

impl To {
    /// The peer that an address is; nobody else may speak, if sources are looked at.
    pub(crate) fn peer(&self, source: IpAddr) -> Option<&Peer> {
        match self {
            Self::Group(_) => None,
            Self::Peers { peers, .. } => peers.iter().find(|peer| peer.address == source),
        }
    }

    pub(crate) fn checks_source(&self) -> bool {
        match self {
            Self::Group(_) => false,
            Self::Peers {
                peers,
                check_source,
                ..
            } => *check_source || peers.iter().any(Peer::has_limit),
        }
    }
}

/// Something of a [`Spec`] that cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    VirtualRouter,
    Priority,
    VersionOfFamily,
    /// An interval of version 2.
    Seconds(Duration),
    /// An interval of version 3.
    Hundredths(Duration),
    Authentication,
    /// `authentication` and `auth_hmac`.
    TwoAuthentications,
    Signing(WrongSigning),
    DownTimer(u8),
    Addresses(usize),
    Group(IpAddr),
    /// An address of the other family.
    Family(IpAddr),
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::VirtualRouter => {
                formatter.write_str("there is no virtual router 0: give it a number from 1 to 255")
            }
            Self::Priority => formatter.write_str(
                "priority 0 is what a master says when it goes: give it one from 1 to 255",
            ),
            Self::VersionOfFamily => formatter.write_str("version 2 has no IPv6: set version 3"),
            Self::Seconds(interval) => write!(
                formatter,
                "version 2 has intervals of whole seconds, 1 to 255, and not {interval:?}: set \
                 another, or version 3"
            ),
            Self::Hundredths(interval) => write!(
                formatter,
                "version 3 has intervals of hundredths of a second, 0.01 to 40.95, and not \
                 {interval:?}: set another"
            ),
            Self::Authentication => formatter
                .write_str("version 3 has no authentication: leave it out, or set version 2"),
            Self::TwoAuthentications => {
                formatter.write_str("it has authentication and auth_hmac: leave one of them out")
            }
            Self::Signing(wrong) => wrong.fmt(formatter),
            Self::DownTimer(number) => write!(
                formatter,
                "a master has gone after 1 to 100 advertisements that did not come, and not {number}"
            ),
            Self::Addresses(number) => write!(
                formatter,
                "an advertisement lists up to 255 addresses, and not {number}: exclude some \
                 (virtual_ipaddress_excluded)"
            ),
            Self::Group(address) => write!(
                formatter,
                "{address} is no multicast group: name one, or make it a unicast peer"
            ),
            Self::Family(address) => write!(
                formatter,
                "{address} is of the other family: a virtual router has addresses, group and peers \
                 of one (others can be virtual_ipaddress_excluded)"
            ),
        }
    }
}

impl core::error::Error for Wrong {}
