//! Addresses that tell whose they are: host 11 is 10.0.0.11, fd00::11, 02:00:0a:00:00:11.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What one interface of a host is known by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
    pub mac: String,
}

impl Address {
    /// Host `number`, below 256, in segment `segment`: 10.0.SEGMENT.NUMBER.
    pub fn new(segment: u8, number: u8) -> Self {
        let digits = |number: u8| {
            // 100 is to be read as 100 in hexadecimal, too.
            let number = u16::from(number);
            ((number / 100) << 8) | ((number / 10 % 10) << 4) | (number % 10)
        };
        let (middle, last) = (digits(segment), digits(number));
        let mut mac = String::from("02:00:0a");
        for part in [middle & 0xff, last >> 8, last & 0xff] {
            // Writing to a string does not fail.
            let _ = write!(mac, ":{part:02x}");
        }
        Self {
            v4: Ipv4Addr::new(10, 0, segment, number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, middle, 0, 0, 0, last),
            mac,
        }
    }

    pub fn both(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The one of the same IP version as `other`.
    pub fn like(&self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(_) => self.v6.into(),
        }
    }
}

/// `address:port` as in a URL or for `ipvsadm`.
pub fn with_port(address: impl Into<IpAddr>, port: u16) -> String {
    std::net::SocketAddr::new(address.into(), port).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_alike() {
        let address = Address::new(0, 123);
        assert_eq!(address.v4.to_string(), "10.0.0.123");
        assert_eq!(address.v6.to_string(), "fd00::123");
        assert_eq!(address.mac, "02:00:0a:00:01:23");
        assert_eq!(Address::new(2, 5).v6.to_string(), "fd00:0:0:2::5");
        for own in address.both() {
            assert_eq!(address.like(own), own);
        }
    }
}
