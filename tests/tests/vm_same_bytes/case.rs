//! What packets are sent by: a method, and the IP versions of client and real server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rlvs_tests::place::server_address;
use rlvs_tests::tunnels::Kind;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Each case has a virtual address, a real server and a client of its own.
    pub(crate) number: u8,
    pub(crate) method: Method,
    pub(crate) inner6: bool,
    pub(crate) outer6: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    Route,
    Masquerade,
    Tunnel(Kind),
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        let mut push = |method, inner6, outer6| {
            let number = cases.len() as u8;
            cases.push(Self {
                number,
                method,
                inner6,
                outer6,
            });
        };
        for inner6 in [false, true] {
            push(Method::Route, inner6, inner6);
            push(Method::Masquerade, inner6, inner6);
            for outer6 in [false, true] {
                for kind in Kind::ALL {
                    push(Method::Tunnel(kind), inner6, outer6);
                }
            }
        }
        cases
    }

    pub(crate) fn client(self) -> SocketAddr {
        SocketAddr::new(self.address(96, 0xfd60), 1025)
    }

    pub(crate) fn vip(self) -> SocketAddr {
        SocketAddr::new(self.address(99, 0xfd99), 80)
    }

    pub(crate) fn real(self) -> SocketAddr {
        let port = match self.method {
            Method::Masquerade => 8080,
            _ => 80,
        };
        SocketAddr::new(server_address(self.outer6, self.number), port)
    }

    /// For `ipvsadm -R`.
    pub(crate) fn rules(self) -> String {
        let (vip, real) = (self.vip(), self.real());
        let method = match self.method {
            Method::Route => "-g".to_owned(),
            Method::Masquerade => "-m".to_owned(),
            Method::Tunnel(kind) => format!("-i {kind}"),
        };
        let rules = ["-t", "-u", "--sctp-service"].map(|protocol| {
            format!("-A {protocol} {vip} -s rr\n-a {protocol} {vip} -r {real} {method}\n")
        });
        rules.concat()
    }

    /// The case's own in the clients' or the virtual addresses' network, 10.SECOND.0.0 or FIRST::.
    fn address(self, second: u8, first: u16) -> IpAddr {
        let number = self.number + 1;
        match self.inner6 {
            true => Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, number.into()).into(),
            false => Ipv4Addr::new(10, second, 0, number).into(),
        }
    }
}
