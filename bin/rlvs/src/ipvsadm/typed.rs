//! What was typed, option by option, before it means something.
//!
//! Values are read when they are met, in the light of what came before: the mask of `-M` is one
//! of IPv6 only after an IPv6 service, `-r` takes its port from a service named before it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use rlvs_control::model::{ClientAddress, Family, Granularity};
use rlvs_control::{DestinationKey, Protocol, ServiceKey, SyncDaemon, SyncRole};

use super::address;
use super::failure::Failure;
use super::flags::{Flag, Meaning, Method, ServiceKind};
use super::names::Names;
use super::number;
use super::options::{Given, Opt};
use super::scheduler_flags;

/// The longest a timeout may be: 31 days.
pub(super) const LONGEST_TIMEOUT: u32 = 31 * 24 * 60 * 60;
/// Persistence unless said otherwise.
const USUAL_TIMEOUT: u32 = 360;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum TunnelType {
    Gre,
    Gue,
    #[default]
    Ipip,
}

#[derive(Debug)]
pub(super) struct Typed {
    pub(super) given: Given,
    pub(super) service: Option<ServiceKey>,
    pub(super) scheduler: String,
    scheduler_flags: String,
    pub(super) scheduler_bits: u8,
    pub(super) timeout: u32,
    pub(super) granularity: Granularity,
    pub(super) engine: Option<String>,
    pub(super) server: Option<DestinationKey>,
    pub(super) method: Method,
    pub(super) weight: u32,
    pub(super) upper: u32,
    pub(super) lower: u32,
    pub(super) tunnel_type: TunnelType,
    pub(super) tunnel_port: u16,
    pub(super) client_address: ClientAddress,
    pub(super) local_address: Option<IpAddr>,
    pub(super) slow_start: u32,
    /// Synchronisation, with `--start-daemon`.
    pub(super) daemon: SyncDaemon,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            given: Given::default(),
            service: None,
            scheduler: String::new(),
            scheduler_flags: String::new(),
            scheduler_bits: 0,
            timeout: USUAL_TIMEOUT,
            granularity: Granularity::Mask(Ipv4Addr::BROADCAST),
            engine: None,
            server: None,
            method: Method::default(),
            weight: 1,
            upper: 0,
            lower: 0,
            tunnel_type: TunnelType::default(),
            tunnel_port: 0,
            client_address: ClientAddress::default(),
            local_address: None,
            slow_start: 0,
            daemon: SyncDaemon::new(SyncRole::Master, ""),
        }
    }
}

impl Typed {
    /// Takes one flag that is not a command.
    pub(super) fn take(
        &mut self,
        flag: &Flag,
        value: Option<&str>,
        names: &dyn Names,
    ) -> Result<(), Failure> {
        if let Some(option) = flag.meaning.option() {
            self.given.add(option)?;
        }
        match (flag.meaning, value) {
            (Meaning::Ipv6, _) => self.ipv6_mark(),
            (Meaning::Method(method), _) => {
                self.method = method;
                Ok(())
            }
            (Meaning::Other(option), Some(value)) => self.value(option, value, names),
            (Meaning::Service(ServiceKind::Mark), Some(value)) => self.mark(value),
            (Meaning::Service(kind), Some(value)) => self.address(kind, value, names),
            _ => Ok(()),
        }
    }

    /// Once the scheduler is known, wherever it was named.
    pub(super) fn read_scheduler_flags(&mut self) -> Result<(), Failure> {
        self.scheduler_bits = scheduler_flags::parse(&self.scheduler_flags, &self.scheduler)?;
        Ok(())
    }

    /// Switches have no value: that they were given is all.
    fn value(&mut self, option: Opt, text: &str, names: &dyn Names) -> Result<(), Failure> {
        match option {
            Opt::Scheduler => text.clone_into(&mut self.scheduler),
            Opt::SchedulerFlags => text.clone_into(&mut self.scheduler_flags),
            Opt::Engine => self.engine = (!text.is_empty()).then(|| text.to_owned()),
            Opt::Persistent => self.timeout = timeout(text, 1)?,
            Opt::Netmask => self.granularity = self.netmask(text, names)?,
            Opt::RealServer => self.server = Some(self.real_server(text, names)?),
            Opt::Weight => self.weight = count(text, "weight")?,
            Opt::Upper => self.upper = count(text, "u_threshold")?,
            Opt::Lower => self.lower = count(text, "l_threshold")?,
            Opt::TunnelType => self.tunnel_type = tunnel_type(text)?,
            Opt::TunnelPort => {
                let port = number::parse(text, 1..=u16::MAX.into());
                let port = port.and_then(|port| port.try_into().ok());
                self.tunnel_port = port.ok_or_else(|| illegal("tunnel port"))?;
            }
            Opt::ClientAddress => self.client_address = client_address(text)?,
            Opt::SlowStart => self.slow_start = timeout(text, 0)?,
            Opt::LocalAddress => {
                let address = address::parse(text, None, names).filter(|(_, port)| port.is_none());
                let (address, _) = address.ok_or_else(|| illegal("local address"))?;
                self.local_address = Some(address);
            }
            _ => self.sync_option(option, text)?,
        }
        Ok(())
    }

    fn sync_option(&mut self, option: Opt, text: &str) -> Result<(), Failure> {
        let daemon = &mut self.daemon;
        match option {
            Opt::GroupInterface => daemon.interface = text.chars().take(INTERFACE_LENGTH).collect(),
            Opt::SyncId => daemon.id = sync_number(text, "syncid", 0, 255)?,
            Opt::SyncLength => daemon.maxlen = Some(sync_number(text, "sync-maxlen", 1, 65507)?),
            Opt::GroupPort => daemon.port = Some(sync_number(text, "mcast-port", 1, 65535)?),
            Opt::GroupTtl => daemon.ttl = Some(sync_number(text, "mcast-ttl", 1, 255)?),
            Opt::Group => daemon.group = Some(group(text)?),
            _ => {}
        }
        Ok(())
    }

    fn ipv6_mark(&mut self) -> Result<(), Failure> {
        let Some(ServiceKey::Mark { family, .. }) = &mut self.service else {
            return Err(Failure::usage("-6 used before -f\n"));
        };
        *family = Family::Ipv6;
        self.granularity = Granularity::Prefix(128);
        Ok(())
    }

    fn mark(&mut self, text: &str) -> Result<(), Failure> {
        let mark = number::parse(text, 1..=u32::MAX)
            .ok_or_else(|| Failure::usage(format!("invalid fwmark value `{text}' specified")))?;
        self.service = Some(ServiceKey::Mark {
            family: Family::Ipv4,
            mark,
        });
        Ok(())
    }

    fn address(&mut self, kind: ServiceKind, text: &str, names: &dyn Names) -> Result<(), Failure> {
        let protocol = match kind {
            ServiceKind::Udp => Protocol::Udp,
            ServiceKind::Sctp => Protocol::Sctp,
            ServiceKind::Tcp | ServiceKind::Mark => Protocol::Tcp,
        };
        let (address, port) = address::parse(text, Some(lookup_name(protocol)), names)
            .ok_or_else(|| illegal("virtual server address[:port]"))?;
        if address.is_ipv6() {
            self.granularity = Granularity::Prefix(128);
        }
        let port = port.unwrap_or(0);
        self.service = Some(ServiceKey::Address {
            protocol,
            address,
            port,
        });
        Ok(())
    }

    fn netmask(&self, text: &str, names: &dyn Names) -> Result<Granularity, Failure> {
        if self
            .service
            .is_some_and(|service| service.family() == Family::Ipv6)
        {
            return match number::leading(text) {
                bits @ 1..=128 => Ok(Granularity::Prefix(bits.try_into().unwrap_or(128))),
                _ => Err(illegal("ipv6 netmask")),
            };
        }
        let mask = address::ipv4(text, names);
        Ok(Granularity::Mask(mask.ok_or_else(|| {
            illegal("virtual server persistent mask")
        })?))
    }

    fn real_server(&self, text: &str, names: &dyn Names) -> Result<DestinationKey, Failure> {
        let (protocol, usual) = match self.service {
            Some(ServiceKey::Address { protocol, port, .. }) => (Some(protocol), port),
            Some(ServiceKey::Mark { .. }) => (Some(Protocol::Tcp), 0),
            None => (None, 0),
        };
        let (address, port) = address::parse(text, protocol.map(lookup_name), names)
            .ok_or_else(|| illegal("real server address[:port]"))?;
        Ok(DestinationKey {
            address,
            port: port.unwrap_or(usual),
        })
    }
}

/// What `/etc/services` calls a protocol.
pub(super) fn lookup_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

/// Seconds from `least` on.
pub(super) fn timeout(text: &str, least: u32) -> Result<u32, Failure> {
    number::parse(text, least..=LONGEST_TIMEOUT)
        .ok_or_else(|| Failure::usage(format!("invalid timeout value `{text}' specified")))
}

fn count(text: &str, what: &str) -> Result<u32, Failure> {
    number::parse(text, 0..=i32::MAX.cast_unsigned()).ok_or_else(|| illegal(what))
}

fn client_address(text: &str) -> Result<ClientAddress, Failure> {
    match text {
        "none" => Ok(ClientAddress::None),
        "proxy" => Ok(ClientAddress::Proxy),
        "toa" => Ok(ClientAddress::Toa),
        _ => Err(Failure::usage(format!(
            "illegal client-address `{text}' specified: there are toa, proxy and none"
        ))),
    }
}

fn tunnel_type(text: &str) -> Result<TunnelType, Failure> {
    match text {
        "gre" => Ok(TunnelType::Gre),
        "gue" => Ok(TunnelType::Gue),
        "ipip" => Ok(TunnelType::Ipip),
        _ => Err(illegal("tunnel type")),
    }
}

/// Of a longer name ipvsadm keeps so much (IFNAMSIZ, less its NUL).
const INTERFACE_LENGTH: usize = 15;

fn sync_number<T: TryFrom<u32>>(
    text: &str,
    what: &str,
    least: u32,
    most: u32,
) -> Result<T, Failure> {
    let number = number::parse(text, least..=most);
    let number = number.and_then(|number| number.try_into().ok());
    number.ok_or_else(|| illegal(what))
}

fn group(text: &str) -> Result<IpAddr, Failure> {
    let version = if text.contains(':') { "IPv6" } else { "IPv4" };
    let address = match version {
        "IPv6" => Ipv6Addr::from_str(text).ok().map(IpAddr::V6),
        _ => Ipv4Addr::from_str(text).ok().map(IpAddr::V4),
    };
    let group = address.filter(IpAddr::is_multicast);
    group.ok_or_else(|| Failure::usage(format!("invalid {version} mcast-group `{text}'")))
}

fn illegal(what: &str) -> Failure {
    Failure::usage(format!("illegal {what} specified"))
}
