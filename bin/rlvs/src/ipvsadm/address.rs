//! Addresses on the command line: `192.0.2.1:80`, `[2001:db8::1]:https`, `www.example.org:http`.
//!
//! Only an address in brackets, or one without a port, may be IPv6, and names are looked up as
//! IPv4 only: as `ipvsadm` has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::names::Names;
use super::number;

/// Reads `host[:port]`; the port may be a name of `protocol`.
pub(super) fn parse(
    text: &str,
    protocol: Option<&str>,
    names: &dyn Names,
) -> Option<(IpAddr, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return bracketed(host, rest.strip_prefix(':')?, protocol, names);
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some((address.into(), None));
    }
    match text.split_once(':') {
        Some((host, text)) => {
            let address = ipv4(host, names)?;
            Some((address.into(), Some(port(text, protocol, names)?)))
        }
        None if port(text, protocol, names).is_some() => None,
        None => Some((ipv4(text, names)?.into(), None)),
    }
}

/// An IPv4 address or a host's name, which is looked up as IPv4.
pub(super) fn ipv4(host: &str, names: &dyn Names) -> Option<Ipv4Addr> {
    literal(host).or_else(|| names.ipv4(host))
}

/// What is in brackets and not IPv6 stands for the whole host: its port is not looked at.
fn bracketed(
    host: &str,
    text: &str,
    protocol: Option<&str>,
    names: &dyn Names,
) -> Option<(IpAddr, Option<u16>)> {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => Some((address.into(), Some(port(text, protocol, names)?))),
        Err(_) => Some((ipv4(host, names)?.into(), None)),
    }
}

fn port(text: &str, protocol: Option<&str>, names: &dyn Names) -> Option<u16> {
    number::parse(text, 0..=u16::MAX.into())
        .and_then(|port| port.try_into().ok())
        .or_else(|| names.port(text, protocol?))
}

/// C's `inet_aton`: one to four numbers, of which the last fills the rest; octal and hexadecimal
/// too; whatever follows a blank does not count.
fn literal(text: &str) -> Option<Ipv4Addr> {
    let text = text.split(number::is_blank).next()?;
    let parts = text.split('.').map(part).collect::<Option<Vec<u32>>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let rest = 32 - 8 * first.len();
    if u64::from(*last) >> rest != 0 {
        return None;
    }
    let high = first
        .iter()
        .fold(0, |sum, part| sum << 8 | u64::from(*part))
        << rest;
    Some(Ipv4Addr::from_bits(u32::try_from(high).ok()? | last))
}

fn part(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    // from_str_radix would take a sign.
    digits
        .chars()
        .all(|digit| digit.is_digit(radix))
        .then_some(())?;
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_inet_aton_reads_them() {
        for (text, expected) in [
            ("10.99.0.9", Some([10, 99, 0, 9])),
            ("10.99.9", Some([10, 99, 0, 9])),
            ("10.16777215", Some([10, 255, 255, 255])),
            ("4294967295", Some([255, 255, 255, 255])),
            ("0xa.0x63.0.011", Some([10, 99, 0, 9])),
            ("10.99.0.9 x", Some([10, 99, 0, 9])),
            ("0", Some([0, 0, 0, 0])),
            ("10.16777216", None),
            ("4294967296", None),
            ("10.99.0.256", None),
            ("10.99.0.9.", None),
            ("1.2.3.4.5", None),
            ("08.1.1.1", None),
            ("+1.2.3.4", None),
            (" 10.99.0.9", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(literal(text), expected.map(Ipv4Addr::from), "{text:?}");
        }
    }
}
