//! The order of sorted listings.
//!
//! `ipvsadm` compares numbers by the sign of their 32-bit difference, so 192.0.2.1 comes before
//! 10.0.0.1 but after 127.0.0.1. That is no total order, which [`slice::sort_by`] wants; what the
//! order of three such addresses is depends on the way of sorting, here as there a merge sort.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr};

use rlvs_control::model::Family;
use rlvs_control::{DestinationKey, DestinationStatus, Protocol, ServiceKey, ServiceStatus};

pub(super) fn sort_services(services: Vec<ServiceStatus>) -> Vec<ServiceStatus> {
    merge_sort(services, |a, b| {
        compare_services(&a.service.key, &b.service.key)
    })
}

pub(super) fn sort_destinations(destinations: Vec<DestinationStatus>) -> Vec<DestinationStatus> {
    merge_sort(destinations, |a, b| {
        compare_destinations(&a.destination.key, &b.destination.key)
    })
}

/// Firewall marks last, IPv4 before IPv6, then by protocol, address and port.
fn compare_services(a: &ServiceKey, b: &ServiceKey) -> Ordering {
    class(a).cmp(&class(b)).then_with(|| {
        let ((address_a, port_a), (address_b, port_b)) = (endpoint(a), endpoint(b));
        compare_addresses(address_a, address_b).then(port_a.cmp(&port_b))
    })
}

fn class(key: &ServiceKey) -> (u32, bool, Option<Protocol>) {
    match *key {
        ServiceKey::Address {
            protocol, address, ..
        } => (0, address.is_ipv6(), Some(protocol)),
        ServiceKey::Mark { mark, family } => (mark, family == Family::Ipv6, None),
    }
}

fn endpoint(key: &ServiceKey) -> (IpAddr, u16) {
    match *key {
        ServiceKey::Address { address, port, .. } => (address, port),
        ServiceKey::Mark { .. } => (Ipv4Addr::UNSPECIFIED.into(), 0),
    }
}

fn compare_destinations(a: &DestinationKey, b: &DestinationKey) -> Ordering {
    compare_addresses(a.address, b.address).then(a.port.cmp(&b.port))
}

/// By 32 bits at a time, whatever the versions.
fn compare_addresses(a: IpAddr, b: IpAddr) -> Ordering {
    let differences = words(a)
        .into_iter()
        .zip(words(b))
        .map(|(a, b)| a.wrapping_sub(b));
    differences
        .map(|difference| difference.cast_signed().cmp(&0))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift & u128::from(u32::MAX)) as u32)
        }
    }
}

/// Halves, sorts and merges; the first half is the smaller, and first when equal.
fn merge_sort<T>(mut items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering + Copy) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let second = items.split_off(items.len() / 2);
    let mut first = merge_sort(items, compare).into_iter().peekable();
    let mut second = merge_sort(second, compare).into_iter().peekable();
    let mut merged = Vec::with_capacity(first.len() + second.len());
    while let (Some(a), Some(b)) = (first.peek(), second.peek()) {
        let next = if compare(a, b).is_le() {
            first.next()
        } else {
            second.next()
        };
        merged.extend(next);
    }
    merged.extend(first);
    merged.extend(second);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux's IPVS and ipvsadm 1.31 had them.
    #[test]
    fn cyclic_orders_are_the_same() {
        assert_eq!(
            sorted(&[
                ("255.255.255.255", 1),
                ("172.16.0.1", 443),
                ("203.0.113.5", 80),
                ("1.1.1.1", 80),
                ("224.0.0.1", 80),
                ("138.0.0.1", 80),
                ("128.0.0.1", 80),
                ("127.0.0.1", 80),
                ("172.16.0.1", 80),
                ("10.0.0.1", 80),
                ("192.0.2.1", 80),
                ("9.9.9.9", 80),
            ]),
            "127.0.0.1:80 128.0.0.1:80 138.0.0.1:80 172.16.0.1:80 172.16.0.1:443 192.0.2.1:80 \
             203.0.113.5:80 224.0.0.1:80 255.255.255.255:1 1.1.1.1:80 9.9.9.9:80 10.0.0.1:80"
        );
        assert_eq!(
            sorted(&[
                ("203.0.113.5", 0),
                ("138.0.0.1", 0),
                ("128.0.0.1", 0),
                ("9.9.9.9", 80),
                ("9.9.9.9", 65535),
                ("9.9.9.9", 0),
                ("172.16.0.1", 0),
                ("192.0.2.1", 0),
                ("10.98.0.2", 4),
                ("10.98.0.1", 5),
            ]),
            "138.0.0.1:0 172.16.0.1:0 192.0.2.1:0 203.0.113.5:0 9.9.9.9:0 9.9.9.9:80 \
             9.9.9.9:65535 10.98.0.1:5 10.98.0.2:4 128.0.0.1:0"
        );
    }

    #[test]
    fn versions_are_mixed() {
        assert_eq!(
            sorted(&[
                ("203.0.113.5", 80),
                ("fd98:1::", 80),
                ("::1", 80),
                ("2001:db8::1", 80),
                ("fd98::2", 80),
                ("fd98::1", 80),
                ("192.0.2.1", 80),
                ("10.98.0.2", 80),
                ("10.98.0.1", 80),
            ]),
            "192.0.2.1:80 203.0.113.5:80 [fd98::1]:80 [fd98::2]:80 [fd98:1::]:80 [::1]:80 \
             10.98.0.1:80 10.98.0.2:80 [2001:db8::1]:80"
        );
    }

    #[test]
    fn marks_come_last() {
        let address = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: Ipv4Addr::BROADCAST.into(),
            port: 65535,
        };
        let mark = |mark, family| ServiceKey::Mark { family, mark };
        let keys = [
            mark(u32::MAX, Family::Ipv4),
            mark(1, Family::Ipv6),
            mark(1, Family::Ipv4),
            address,
        ];
        let sorted = merge_sort(keys.to_vec(), compare_services);
        assert_eq!(sorted, keys.into_iter().rev().collect::<Vec<_>>());
    }

    fn sorted(endpoints: &[(&str, u16)]) -> String {
        let keys = endpoints.iter().map(|(address, port)| DestinationKey {
            address: address.parse().unwrap(),
            port: *port,
        });
        let sorted = merge_sort(keys.collect(), compare_destinations);
        sorted
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    }
}
