//! Addresses in short: `192.0.2.1-10`, `192.0.2.250-192.0.3.5`, `192.0.2.8/29`, and the same in
//! IPv6.

use std::net::IpAddr;

use ipnet::IpNet;

/// More addresses than a director has room for services are a slip.
const MOST: u128 = 65_536;

/// All addresses that a text stands for, or why it stands for none.
pub(crate) fn addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    let wrong = || {
        format!(
            "`{text}` is no address: write 192.0.2.1, 192.0.2.1-10, 192.0.2.8/29 or 2001:db8::1"
        )
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => {
            let first: IpAddr = first.trim().parse().map_err(|_| wrong())?;
            (first, end(first, last.trim()).ok_or_else(wrong)?)
        }
        None => {
            let net: IpNet = text.parse().map_err(|_| wrong())?;
            (net.network(), net.broadcast())
        }
    };
    all(first, last, text)
}

/// The last address: whole, or its last part.
fn end(first: IpAddr, last: &str) -> Option<IpAddr> {
    if let Ok(address) = last.parse() {
        return Some(address);
    }
    match first {
        IpAddr::V4(first) => {
            let last: u8 = last.parse().ok()?;
            let [a, b, c, _] = first.octets();
            Some(IpAddr::from([a, b, c, last]))
        }
        IpAddr::V6(first) => {
            let last = u16::from_str_radix(last, 16).ok()?;
            let mut segments = first.segments();
            segments[7] = last;
            Some(IpAddr::from(segments))
        }
    }
}

fn all(first: IpAddr, last: IpAddr, text: &str) -> Result<Vec<IpAddr>, String> {
    let (from, to) = (number(first), number(last));
    if first.is_ipv6() != last.is_ipv6() || from > to {
        return Err(format!("`{text}` ends before it begins"));
    }
    if to - from >= MOST {
        return Err(format!("`{text}` stands for more than {MOST} addresses"));
    }
    let address = |number: u128| match first {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(number.to_be_bytes()),
    };
    Ok((from..=to).map(address).collect())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_out() {
        for (text, count, last) in [
            ("192.0.2.1", 1, "192.0.2.1"),
            ("192.0.2.1-10", 10, "192.0.2.10"),
            ("192.0.2.250-192.0.3.5", 12, "192.0.3.5"),
            ("192.0.2.8/29", 8, "192.0.2.15"),
            ("2001:db8::1-ff", 255, "2001:db8::ff"),
            ("2001:db8::/124", 16, "2001:db8::f"),
        ] {
            let all = addresses(text).unwrap();
            assert_eq!(
                (all.len(), all.last().unwrap().to_string()),
                (count, last.to_owned())
            );
        }
        for text in [
            "",
            "x",
            "192.0.2.9-1",
            "192.0.2.1-2001:db8::1",
            "10.0.0.0/8",
            "1.2.3.4-999",
        ] {
            assert!(addresses(text).is_err(), "{text}");
        }
    }
}
