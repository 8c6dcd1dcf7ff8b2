//! What of a frame is compared.

use anyhow::{Context, Result, ensure};
use rlvs_testing::packet::{ETHERNET, GRE, UDP, checksum};
use rlvs_tests::tunnels::GUE_PORT;

use crate::hex;

const ICMP: u8 = 1;
const IPIP: u8 = 4;
const IPV6: u8 = 41;
const ICMPV6: u8 = 58;

/// What a director's own ICMP error carries of the packet it is about, at the least.
const KEPT: usize = 128;
/// IPv4's identification in all packets that are sent here.
const IDENTIFICATION: [u8; 2] = [0xbe, 0xef];

/// A frame without what differs with right: in IPv4's header outside the identification, in GUE's
/// the port it comes from, and of packets in ICMP errors what is behind their first 128 bytes. What
/// checksums say of these goes with them; all checksums must be right.
pub(crate) fn masked(frame: &[u8]) -> Result<Vec<u8>> {
    let mut frame = frame.to_vec();
    let (is_four, at) = (is_four(&frame), payload(&frame));
    let protocol = match is_four {
        true => frame[ETHERNET + 9],
        false => frame[ETHERNET + 6],
    };
    let is_gue = protocol == UDP && frame[at + 2..at + 4] == GUE_PORT.to_be_bytes();
    check(&frame, protocol, is_gue).with_context(|| hex(&frame))?;
    if is_gue {
        let is_summed = frame[at + 6..at + 8] != [0, 0];
        frame[at..at + 2].fill(0);
        frame[at + 6..at + 8].copy_from_slice(&[0, u8::from(is_summed)]);
    }
    let ip = &mut frame[ETHERNET..];
    let is_outside = is_gue || matches!(protocol, IPIP | IPV6 | GRE);
    if is_four && (is_outside || protocol == ICMP && ip[4..6] != IDENTIFICATION) {
        ip[4..6].fill(0);
        ip[10..12].fill(0);
    }
    let end = at + 8 + KEPT;
    if matches!(protocol, ICMP | ICMPV6) && frame.len() >= end {
        let length = if is_four { 2 } else { 4 };
        frame[ETHERNET + length..ETHERNET + length + 2].fill(0);
        frame[at + 2..at + 4].fill(0);
        frame.truncate(end);
    }
    Ok(frame)
}

pub(crate) fn is_four(frame: &[u8]) -> bool {
    frame[ETHERNET] >> 4 == 4
}

/// Where what follows the IP header begins.
pub(crate) fn payload(frame: &[u8]) -> usize {
    match is_four(frame) {
        true => ETHERNET + usize::from(frame[ETHERNET] & 15) * 4,
        false => ETHERNET + 40,
    }
}

/// Whether the transport checksum of an IP packet is right.
pub(crate) fn is_right(ip: &[u8], protocol: u8) -> bool {
    let (addresses, header) = match ip[0] >> 4 {
        4 => (&ip[12..20], usize::from(ip[0] & 15) * 4),
        _ => (&ip[8..40], 40),
    };
    let length = ((ip.len() - header) as u16).to_be_bytes();
    checksum(&[addresses, &[0, protocol], &length, &ip[header..]].concat()) == 0
}

fn check(frame: &[u8], protocol: u8, is_gue: bool) -> Result<()> {
    let (ip, at) = (&frame[ETHERNET..], payload(frame));
    ensure!(
        !is_four(frame) || checksum(&frame[ETHERNET..at]) == 0,
        "the IPv4 header's checksum is wrong"
    );
    let is_right = match protocol {
        UDP if is_gue && frame[at + 6..at + 8] != [0, 0] => is_right(ip, UDP),
        ICMP => checksum(&frame[at..]) == 0,
        ICMPV6 => is_right(ip, ICMPV6),
        _ => true,
    };
    ensure!(is_right, "the checksum of protocol {protocol} is wrong");
    Ok(())
}
