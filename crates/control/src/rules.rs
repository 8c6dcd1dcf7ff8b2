//! What LVS takes and what it does not (linux `net/netfilter/ipvs/ip_vs_ctl.c`, ipvsadm 1.31).
//!
//! The same rules for what the director is told and for what configuration files say.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::model::{
    Destination, Family, ForwardingMethod, Granularity, Persistence, Protocol, Service, ServiceKey,
    Tunnel,
};
use crate::{Change, Code, Error};

/// 31 days: nobody waits longer for an idle connection.
const LONGEST_TIMEOUT: u32 = 31 * 24 * 60 * 60;
/// Weights and thresholds are signed numbers to IPVS.
const LARGEST_NUMBER: u32 = i32::MAX.cast_unsigned();
/// `flag-1`, `flag-2` and `flag-3`.
const ALL_FLAGS: u8 = 0b111;
/// All of IPVS's; `none` is a service that takes no new connections.
pub const SCHEDULERS: [&str; 15] = [
    "dh", "fo", "lblc", "lblcr", "lc", "mh", "none", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc",
    "wrr",
];

/// Those that only compare weights, or their ratios to connections.
const BY_WEIGHT: [&str; 5] = ["nq", "sed", "twos", "wlc", "wrr"];

/// What a rule says.
pub type Checked = Result<(), Refusal>;

/// A rule that is broken.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The field of the service or destination that it is about.
    pub about: &'static str,
    pub error: Error,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// The change that `change` amounts to: a destination that gets the packets as they are
/// (`-g`, `-i`) listens on the service's port, whatever port was named for it.
pub fn as_made(change: &Change) -> Cow<'_, Change> {
    let mut made = Cow::Borrowed(change);
    let (Change::AddDestination {
        service,
        destination,
    }
    | Change::EditDestination {
        service,
        destination,
    }) = change
    else {
        return made;
    };
    if let ServiceKey::Address { port, .. } = *service
        && !matches!(
            destination.method,
            ForwardingMethod::Masquerade | ForwardingMethod::FullNat
        )
        && destination.key.port != port
        && let Change::AddDestination { destination, .. }
        | Change::EditDestination { destination, .. } = made.to_mut()
    {
        destination.key.port = port;
    }
    made
}

/// A virtual service by itself.
pub fn service(service: &Service) -> Checked {
    scheduler(service)?;
    if let Some(engine) = service
        .persistence_engine
        .as_deref()
        .filter(|name| *name != "sip")
    {
        let message = format!("there is no persistence engine `{engine}': sip is the only one");
        return refuse(
            "persistence_engine",
            Code::UnknownPersistenceEngine,
            message,
        );
    }
    key(service)?;
    slow_start(service)?;
    service
        .persistence
        .iter()
        .try_for_each(|wanted| persistence(&service.key, wanted))
}

/// A real server in a service of this key.
pub fn destination(service: &ServiceKey, destination: &Destination) -> Checked {
    family(service, destination)?;
    numbers(destination)?;
    if matches!(
        destination.method,
        ForwardingMethod::Tunnel(Tunnel::Gue { port: 0, .. })
    ) {
        let message = format!("the GUE tunnel to {} needs a port above 0", destination.key);
        return refuse("method", Code::Invalid, message);
    }
    if !is_host(destination.key.address) {
        let message = format!(
            "{} is not the address of a single host",
            destination.key.address
        );
        return refuse("address", Code::Invalid, message);
    }
    Ok(())
}

/// Full NAT tells a real server's answers by their connection, and one of a single packet has ended.
pub fn together(service: &Service, destination: &Destination) -> Checked {
    if !service.one_packet || destination.method != ForwardingMethod::FullNat {
        return Ok(());
    }
    let message = format!(
        "{} by full NAT (--fullnat) needs connections, and {} has none (-o): use -g, -i or -m",
        destination.key, service.key
    );
    refuse("method", Code::Unsupported, message)
}

/// One of the director's for full NAT, which packets of this service can carry.
pub fn local_address(service: &ServiceKey, address: IpAddr) -> Checked {
    let same = address.is_ipv6() == (service.family() == Family::Ipv6);
    let why = match same {
        false => "is of another IP version than",
        true if !is_host(address) => "is not the address of a single host, which it must be for",
        true => return Ok(()),
    };
    let message = format!("the local address {address} {why} {service}");
    refuse("local_addresses", Code::Invalid, message)
}

/// Of connections, in seconds.
pub fn timeouts(named: &[(&str, u32)]) -> Checked {
    match named.iter().find(|(_, seconds)| *seconds > LONGEST_TIMEOUT) {
        None => Ok(()),
        Some((name, seconds)) => range(
            "timeouts",
            format_args!("the timeout {name}"),
            *seconds,
            format_args!("0 (leave it) to {LONGEST_TIMEOUT} seconds"),
        ),
    }
}

fn scheduler(service: &Service) -> Checked {
    let name = service.scheduler.as_str();
    if !SCHEDULERS.contains(&name) {
        let known = SCHEDULERS.join(", ");
        let message = format!(
            "there is no scheduler `{name}' (for {}): use {known}",
            service.key
        );
        return refuse("scheduler", Code::UnknownScheduler, message);
    }
    if service.scheduler_flags > ALL_FLAGS {
        let allowed = format_args!("0 to {ALL_FLAGS}");
        let flags = service.scheduler_flags.into();
        return range("scheduler_flags", "scheduler_flags", flags, allowed);
    }
    Ok(())
}

fn slow_start(service: &Service) -> Checked {
    let name = service.scheduler.as_str();
    if service.slow_start != 0 && !BY_WEIGHT.contains(&name) {
        let fit = BY_WEIGHT.join(", ");
        let why = format!("slow start needs a scheduler that goes by shares of weights: {fit}");
        return invalid("slow_start", service, &why);
    }
    if service.slow_start > LONGEST_TIMEOUT {
        let allowed = format_args!("0 to {LONGEST_TIMEOUT} seconds");
        return range("slow_start", "slow_start", service.slow_start, allowed);
    }
    Ok(())
}

fn key(service: &Service) -> Checked {
    match service.key {
        ServiceKey::Mark { mark: 0, .. } => {
            invalid("key", service, "0 is no firewall mark: use 1 or above")
        }
        ServiceKey::Address { port: 0, .. } if service.persistence.is_none() => invalid(
            "key",
            service,
            "port 0 stands for all ports and needs persistence (-p)",
        ),
        ServiceKey::Address { protocol, .. } if service.one_packet && protocol != Protocol::Udp => {
            invalid(
                "one_packet",
                service,
                "only UDP services can be scheduled by single packets (-o)",
            )
        }
        _ => Ok(()),
    }
}

fn persistence(key: &ServiceKey, persistence: &Persistence) -> Checked {
    if !(1..=LONGEST_TIMEOUT).contains(&persistence.timeout) {
        return range(
            "persistence",
            format_args!("the persistence timeout of {key}"),
            persistence.timeout,
            format_args!("1 to {LONGEST_TIMEOUT} seconds"),
        );
    }
    let wants = match (key.family(), persistence.granularity) {
        (Family::Ipv4, Granularity::Mask(_)) | (Family::Ipv6, Granularity::Prefix(1..=128)) => {
            return Ok(());
        }
        (Family::Ipv4, _) => "a netmask",
        (Family::Ipv6, _) => "a prefix length of 1 to 128",
    };
    let message = format!("the persistence granularity of {key} must be {wants}");
    refuse("persistence", Code::Invalid, message)
}

fn family(service: &ServiceKey, destination: &Destination) -> Checked {
    let same = match destination.key.address {
        IpAddr::V4(_) => service.family() == Family::Ipv4,
        IpAddr::V6(_) => service.family() == Family::Ipv6,
    };
    if same || matches!(destination.method, ForwardingMethod::Tunnel(_)) {
        return Ok(());
    }
    let message = format!(
        "{} and {service} differ in IP version: only a tunnel (-i) can bridge that",
        destination.key
    );
    refuse("address", Code::Invalid, message)
}

fn numbers(destination: &Destination) -> Checked {
    let Destination {
        key,
        weight,
        upper_threshold: upper,
        lower_threshold: lower,
        ..
    } = destination;
    for (about, name, value) in [
        ("weight", "weight", *weight),
        ("upper_threshold", "upper threshold", *upper),
    ] {
        if value > LARGEST_NUMBER {
            let name = format_args!("the {name} of {key}");
            return range(about, name, value, format_args!("0 to {LARGEST_NUMBER}"));
        }
    }
    if lower > upper {
        let name = format_args!("the lower threshold of {key}");
        let allowed = format_args!("0 to its upper one, which is {upper}");
        return range("lower_threshold", name, *lower, allowed);
    }
    Ok(())
}

/// Neither a group nor everybody nor nobody nor, for want of an interface, link-local.
fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(address.octets()[0] == 0 || address.is_multicast() || address.is_broadcast())
        }
        IpAddr::V6(address) => {
            !(address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local())
        }
    }
}

fn invalid(about: &'static str, service: &Service, why: &str) -> Checked {
    refuse(about, Code::Invalid, format!("{}: {why}", service.key))
}

fn range(
    about: &'static str,
    what: impl std::fmt::Display,
    value: u32,
    allowed: impl std::fmt::Display,
) -> Checked {
    let message = format!("{what} is {value}: it must be {allowed}");
    refuse(about, Code::Range, message)
}

fn refuse(about: &'static str, code: Code, message: String) -> Checked {
    let error = Error::new(code, message);
    Err(Refusal { about, error })
}
