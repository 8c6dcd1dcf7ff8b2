//! Tells neighbours whose an address is from now on: gratuitous ARP (RFC 5227, 3), and
//! unsolicited neighbour advertisements (RFC 4861, 7.2.6).
#![expect(unsafe_code, reason = "sockaddr_ll is in no safe wrapper yet")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::address::Interface;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const BROADCAST: [u8; 6] = [0xff; 6];
/// From another link, nobody believes it (RFC 4861, 7.1.2).
const HOPS: u32 = 255;
const ADVERTISEMENT: u8 = 136;
/// The sender is a router; what neighbours know is to be overridden.
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

/// Tells all neighbours on an interface; nobody, where they have no Ethernet addresses.
pub fn announce(address: IpAddr, on: &Interface) -> io::Result<()> {
    let Some(mac) = on.mac.filter(|_| on.ethernet && on.up) else {
        return Ok(());
    };
    match address {
        IpAddr::V4(address) => by_arp(address, mac, on.index),
        IpAddr::V6(address) => by_advertisement(address, mac, on),
    }
}

fn by_arp(address: Ipv4Addr, mac: [u8; 6], index: u32) -> io::Result<()> {
    let protocol = (libc::ETH_P_ARP as u16).to_be();
    // No protocol to receive: nobody reads here.
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
    socket
        .send_to(&arp(address, mac), &everybody(index, protocol)?)
        .map(drop)
}

/// A request for the address, by who has it.
fn arp(address: Ipv4Addr, mac: [u8; 6]) -> Vec<u8> {
    let (octets, nobody) = (address.octets(), [0; 6]);
    // Ethernet, IPv4, the lengths of their addresses, request.
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    [&head[..], &mac, &octets, &nobody, &octets].concat()
}

fn everybody(index: u32, protocol: u16) -> io::Result<SockAddr> {
    let set = |storage: *mut socket2::SockAddrStorage, length: *mut libc::socklen_t| {
        let mut address = [0; 8];
        address[..6].copy_from_slice(&BROADCAST);
        let everybody = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: protocol,
            sll_ifindex: index as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: BROADCAST.len() as u8,
            sll_addr: address,
        };
        // SAFETY: both pointers are to what `try_init` has made for this; a storage has room for any
        // kind of address, and is aligned for it.
        unsafe {
            storage.cast::<libc::sockaddr_ll>().write(everybody);
            length.write(size_of::<libc::sockaddr_ll>() as libc::socklen_t);
        }
        Ok(())
    };
    // SAFETY: `set` writes a whole address of AF_PACKET, and its length.
    let ((), address) = unsafe { SockAddr::try_init(set) }?;
    Ok(address)
}

fn by_advertisement(address: Ipv6Addr, mac: [u8; 6], on: &Interface) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_if_v6(on.index)?;
    let to = SocketAddrV6::new(ALL_NODES, 0, 0, on.index);
    let message = advertisement(address, mac, forwards(on));
    socket.send_to(&message, &to.into()).map(drop)
}

/// The kernel fills in the checksum.
fn advertisement(address: Ipv6Addr, mac: [u8; 6], is_router: bool) -> Vec<u8> {
    let flags = OVERRIDE | if is_router { ROUTER } else { 0 };
    let head = [ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    let option = [TARGET_LINK_LAYER_ADDRESS, 1];
    [&head[..], &address.octets(), &option, &mac].concat()
}

fn forwards(on: &Interface) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{}/forwarding", on.name);
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    #[test]
    fn messages_are_as_they_should_be() {
        let request = arp(Ipv4Addr::new(192, 0, 2, 1), MAC);
        assert_eq!(
            request,
            [
                0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 7, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0,
                2, 1
            ]
        );
        let told = advertisement("2001:db8::1".parse().unwrap(), MAC, true);
        assert_eq!(told.len(), 32);
        assert_eq!(told[..5], [136, 0, 0, 0, 0xa0]);
        assert_eq!(told[24..], [2, 1, 2, 0, 0, 0, 0, 7]);
    }
}
