//! The way of packets with the firewall mark of a service: rules of routing lead them to a device,
//! at whose egress the data plane sees the mark.
//!
//! ```text
//! 98:  from all iif lvs0 goto 200              what comes back from there goes on as it would have
//! 100: from all fwmark 0x1 ipproto tcp lookup 7676     default dev lvs0
//! 101: from all iif lo goto 200                what this host sends, by its address
//! 102: from all ipproto tcp dport 80 lookup 7677       VIP dev lvs0
//! 200: from all lookup local                   from priority 0: virtual addresses may be local
//! ```
//!
//! The rules for ports, and their table with the services' addresses, are there if there are services
//! by address, too: whether a packet of theirs has another service's mark is seen there only.
//!
//! The device takes no part in anything else. It is an "ifb", which drops what nobody takes, and has
//! the dummy address of RFC 7600, without which the kernel believes no sender there. All of it bears
//! the number that neighbours of ours have as well (`proto 76`), so the next daemon finds what one
//! before it left.

mod routes;
mod rule;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rustix::io::Errno;

use crate::Link;
use crate::requests::Requests;
use rule::{Present, Step, steps};

pub use rule::{Ports, Transport};

/// The device's name.
pub const DEVICE: &str = "lvs0";
/// The routing table that leads there, whatever the address.
pub const TABLE: u32 = 7676;
/// The one that leads there from services' addresses.
pub const ADDRESSES: u32 = 7677;

const KIND: &str = "ifb";
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet, AddressFamily::Inet6];

/// Kernel parameters of the device: senders of any network are believed, this host's own as well,
/// and what it hands back may be forwarded.
const PARAMETERS: [(&str, &str); 6] = [
    ("ipv4/conf/lvs0/rp_filter", "2"),
    ("ipv4/conf/lvs0/accept_local", "1"),
    ("ipv4/conf/lvs0/forwarding", "1"),
    ("ipv6/conf/lvs0/forwarding", "1"),
    ("ipv6/conf/lvs0/accept_ra", "0"),
    // No address of its own.
    ("ipv6/conf/lvs0/addr_gen_mode", "1"),
];

/// What is led to the device, of IPv4 and of IPv6.
pub type Led = [Packets; 2];

/// Which packets of one IP version.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Packets {
    /// With any of these marks.
    pub marks: BTreeSet<u32>,
    /// And those to any of these ports of any of these addresses.
    pub ports: BTreeSet<Ports>,
    pub addresses: BTreeSet<IpAddr>,
}

/// Why marked packets do not get there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("netlink: {0}")]
    Socket(#[from] io::Error),
    #[error(
        "cannot make the device {DEVICE} for marked packets ({0}): it needs the kernel's module \
         {KIND}: modprobe {KIND}"
    )]
    Device(Errno),
    #[error("there is an interface {DEVICE} already, and it is no {KIND}: rename it")]
    Taken,
    #[error("kernel parameter net/{0}: {1}")]
    Parameter(&'static str, io::Error),
    #[error("{DEVICE}: {what}: {error}")]
    Refused { what: String, error: Errno },
}

/// Makes the device as it should be; its index.
pub fn make_device(mtu: u32) -> Result<u32, Error> {
    let requests = Requests::open()?;
    let index = match find(&requests)? {
        Some(link) if link.kind.as_deref() != Some(KIND) => return Err(Error::Taken),
        Some(link) if link.up && link.mtu == mtu => return Ok(link.index),
        Some(link) => link.index,
        None => create(&requests)?,
    };
    set_parameters()?;
    requests
        .change(RouteNetlinkMessage::SetLink(up(index, mtu)), 0)
        .map_err(|error| refused("set up", error))?;
    let address = RouteNetlinkMessage::NewAddress(dummy_address(index));
    requests
        .change(address, NLM_F_CREATE | NLM_F_REPLACE)
        .map_err(|error| refused("address", error))?;
    Ok(index)
}

/// Leads just these packets to the device with this index, whatever was led there.
pub fn lead(index: u32, led: &Led) -> Result<(), Error> {
    let requests = Requests::open()?;
    for (family, packets) in FAMILIES.into_iter().zip(led) {
        if !packets.marks.is_empty() {
            routes::to_all(&requests, index, family)?;
        }
        routes::to_addresses(index, family, &packets.addresses)?;
        set_rules(&requests, family, packets)?;
    }
    Ok(())
}

/// Leads no packets there, and removes the device. Whether there was one.
pub fn remove() -> Result<bool, Error> {
    lead(0, &Led::default())?;
    let requests = Requests::open()?;
    let Some(link) = find(&requests)?.filter(|link| link.kind.as_deref() == Some(KIND)) else {
        return Ok(false);
    };
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    requests
        .change(RouteNetlinkMessage::DelLink(message), 0)
        .map_err(|error| refused("removal", error))?;
    Ok(true)
}

/// The rules there are for it, as `ip rule` and `ip -6 rule` print them.
pub fn rules() -> Result<[Vec<String>; 2], Error> {
    let requests = Requests::open()?;
    let of = |family| -> Result<Vec<String>, Error> {
        let present = present(&requests, family)?;
        let ours = present.iter().filter(|it| it.is_ours);
        let mut ours: Vec<_> = ours.map(|it| it.rule).collect();
        ours.sort_by_key(|rule| rule.priority());
        Ok(ours.iter().map(ToString::to_string).collect())
    };
    Ok([of(AddressFamily::Inet)?, of(AddressFamily::Inet6)?])
}

fn find(requests: &Requests) -> Result<Option<Link>, Error> {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::IfName(DEVICE.to_owned())];
    match requests.ask(RouteNetlinkMessage::GetLink(message), 0) {
        Ok(answers) => Ok(answers.into_iter().find_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => Link::read(&link),
            _ => None,
        })),
        Err(Errno::NODEV) => Ok(None),
        Err(error) => Err(refused("looking for it", error)),
    }
}

fn create(requests: &Requests) -> Result<u32, Error> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(DEVICE.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]),
    ];
    requests
        .change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(Error::Device)?;
    find(requests)?
        .map(|link| link.index)
        .ok_or(Error::Device(Errno::NODEV))
}

fn up(index: u32, mtu: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes = vec![LinkAttribute::Mtu(mtu)];
    message
}

fn dummy_address(index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.scope = AddressScope::Host;
    message.header.index = index;
    let address = IpAddr::V4(DUMMY);
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    message
}

/// A kernel without IPv6 has none of its parameters.
fn set_parameters() -> Result<(), Error> {
    let root = Path::new("/proc/sys/net");
    for (name, value) in PARAMETERS {
        let path = root.join(name);
        if name.starts_with("ipv6") && !path.exists() {
            continue;
        }
        fs::write(path, value).map_err(|error| Error::Parameter(name, error))?;
    }
    Ok(())
}

fn set_rules(requests: &Requests, family: AddressFamily, packets: &Packets) -> Result<(), Error> {
    for step in steps(&present(requests, family)?, packets) {
        let (rule, outcome) = match step {
            Step::Add(rule) => {
                let message = RouteNetlinkMessage::NewRule(rule.message(family));
                (rule, requests.change(message, NLM_F_CREATE | NLM_F_EXCL))
            }
            Step::Remove(rule) => {
                let message = RouteNetlinkMessage::DelRule(rule.message(family));
                (rule, requests.change(message, 0))
            }
        };
        outcome.map_err(|error| refused(&format!("rule `{rule}'"), error))?;
        tracing::debug!(?family, ?step, "rule of routing");
    }
    Ok(())
}

fn present(requests: &Requests, family: AddressFamily) -> Result<Vec<Present>, Error> {
    let mut message = RuleMessage::default();
    message.header.family = family;
    match requests.list(RouteNetlinkMessage::GetRule(message)) {
        Ok(rules) => Ok(rules
            .iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewRule(rule) if rule.header.family == family => {
                    Present::read(rule)
                }
                _ => None,
            })
            .collect()),
        // A kernel without IPv6.
        Err(Errno::AFNOSUPPORT | Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(refused("rules", error)),
    }
}

fn refused(what: &str, error: Errno) -> Error {
    let what = what.to_owned();
    Error::Refused { what, error }
}
