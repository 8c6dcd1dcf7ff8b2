//! Which packets services want to be led to the device.

use std::collections::BTreeSet;
use std::fs;

use rlvs_control::model::Family;
use rlvs_control::{Protocol, Service, ServiceKey};
use rlvs_network::marks::{Led, Packets, Ports, Transport};

use crate::desired::Desired;

/// Each packet that the kernel routes is compared with as many rules. Beyond that, one for each
/// protocol leads more packets than it need.
const MOST_PORTS: usize = 64;

/// Where this host forwards nothing, services by address go without: nothing can be led.
pub(super) fn led(desired: &Desired) -> Led {
    let services = || desired.services().map(|it| it.service());
    let is_marked = |service: &Service| matches!(service.key, ServiceKey::Mark { .. });
    if !services().any(is_marked) {
        return Led::default();
    }
    let mut led = wanted(services());
    for (family, packets) in [Family::Ipv4, Family::Ipv6].into_iter().zip(&mut led) {
        if packets.marks.is_empty() || !is_forwarding(family) {
            packets.ports = BTreeSet::new();
            packets.addresses = BTreeSet::new();
        }
    }
    led
}

pub(super) fn has_marks(led: &Led) -> bool {
    led.iter().any(|packets| !packets.marks.is_empty())
}

/// What either has.
pub(super) fn both(one: &Led, other: &Led) -> Led {
    let mut all = one.clone();
    for (all, more) in all.iter_mut().zip(other) {
        all.marks.extend(&more.marks);
        all.ports.extend(&more.ports);
        all.addresses.extend(&more.addresses);
    }
    all
}

/// Below /proc/sys, what says whether the kernel forwards.
pub(super) fn forwarding(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "net/ipv4/ip_forward",
        Family::Ipv6 => "net/ipv6/conf/all/forwarding",
    }
}

pub(super) fn is_forwarding(family: Family) -> bool {
    let value = fs::read_to_string(format!("/proc/sys/{}", forwarding(family)));
    value.is_ok_and(|value| value.trim() != "0")
}

fn wanted<'s>(services: impl Iterator<Item = &'s Service>) -> Led {
    let mut led = Led::default();
    for service in services {
        match service.key {
            ServiceKey::Mark { family, mark } => {
                led[usize::from(family == Family::Ipv6)].marks.insert(mark);
            }
            ServiceKey::Address {
                protocol,
                address,
                port,
            } => {
                let packets = &mut led[usize::from(address.is_ipv6())];
                packets.addresses.insert(address);
                let ports = ports(protocol, port, service.persistence.is_some());
                packets.ports.extend(ports);
            }
        }
    }
    for packets in &mut led {
        limit(packets);
    }
    led
}

/// All ports that packets of a service are sent to; of FTP its data's, too.
fn ports(protocol: Protocol, port: u16, is_persistent: bool) -> Vec<Ports> {
    let protocol = match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
        Protocol::Sctp => Transport::Sctp,
    };
    let from = |first, last| Ports {
        protocol,
        first,
        last,
    };
    match (port, protocol) {
        (0, _) => vec![Ports::all(protocol)],
        (21, Transport::Tcp) if is_persistent => {
            vec![from(20, 21), from(1024, u16::MAX)]
        }
        _ => vec![from(port, port)],
    }
}

fn limit(packets: &mut Packets) {
    if packets.ports.len() > MOST_PORTS {
        let all = packets.ports.iter().map(|ports| Ports::all(ports.protocol));
        packets.ports = all.collect();
    }
}

#[cfg(test)]
mod tests {
    use rlvs_engine::service::may_be_ftp_data;
    use rlvs_wire::protocol;

    use super::*;

    fn covers(ports: &[Ports], port: u16) -> bool {
        let holds = |it: &Ports| (it.first..=it.last).contains(&port);
        ports.iter().any(holds)
    }

    /// As the packet path looks services up: a packet that waits there must be led.
    #[test]
    fn a_service_is_led_to_from_all_ports_it_takes() {
        let ftp = ports(Protocol::Tcp, 21, true);
        for port in 0..=u16::MAX {
            let takes = port == 21 || may_be_ftp_data(protocol::TCP, port.to_be_bytes());
            assert_eq!(covers(&ftp, port), takes, "{port}");
            assert!(covers(&ports(Protocol::Udp, 0, false), port));
        }
        assert_eq!(ports(Protocol::Tcp, 21, false).len(), 1);
        assert_eq!(ports(Protocol::Udp, 21, true).len(), 1);
    }

    #[test]
    fn many_ports_become_all_of_their_protocols() {
        let mut packets = Packets::default();
        for port in 1..=MOST_PORTS as u16 {
            packets.ports.extend(ports(Protocol::Tcp, port, false));
        }
        let few = packets.clone();
        limit(&mut packets);
        assert_eq!(packets, few);
        packets.ports.extend(ports(Protocol::Udp, 53, false));
        limit(&mut packets);
        let all = [Transport::Tcp, Transport::Udp].map(Ports::all);
        assert_eq!(packets.ports, BTreeSet::from(all));
    }
}
