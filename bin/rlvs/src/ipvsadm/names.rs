//! Names of hosts and services.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

/// Where names come from.
pub trait Names {
    /// The IPv4 address of a host.
    fn ipv4(&self, host: &str) -> Option<Ipv4Addr>;

    fn host(&self, address: IpAddr) -> Option<String>;

    /// The port of a service; `protocol` is `tcp`, `udp` or `sctp`.
    fn port(&self, service: &str, protocol: &str) -> Option<u16>;

    fn service(&self, port: u16, protocol: &str) -> Option<String>;
}

/// What this host knows: its resolver, and `/etc/services`.
#[derive(Debug, Default)]
pub struct SystemNames {
    services: OnceCell<ServiceNames>,
}

/// The table of `/etc/services`.
#[derive(Debug, Default)]
pub struct ServiceNames {
    ports: HashMap<(String, String), u16>,
    names: HashMap<(u16, String), String>,
}

impl SystemNames {
    /// Read once, and only when a name is asked for.
    fn services(&self) -> &ServiceNames {
        self.services.get_or_init(|| {
            // Without the file there are no names: ports are then listed as numbers.
            ServiceNames::parse(&std::fs::read_to_string("/etc/services").unwrap_or_default())
        })
    }
}

impl Names for SystemNames {
    fn ipv4(&self, host: &str) -> Option<Ipv4Addr> {
        let mut found = (host, 0).to_socket_addrs().ok()?;
        found.find_map(|found| match found.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    fn host(&self, address: IpAddr) -> Option<String> {
        let name = dns_lookup::lookup_addr(&address).ok()?;
        // The resolver answers with the address when it knows no name.
        name.parse::<IpAddr>().is_err().then_some(name)
    }

    fn port(&self, service: &str, protocol: &str) -> Option<u16> {
        self.services().port(service, protocol)
    }

    fn service(&self, port: u16, protocol: &str) -> Option<String> {
        self.services().name(port, protocol)
    }
}

impl ServiceNames {
    /// Reads services(5): lines of `name port/protocol alias...`; the first entry counts.
    pub fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            if let (Some(name), Some((port, protocol))) = (
                words.next(),
                words.next().and_then(|word| word.split_once('/')),
            ) && let Ok(port) = port.parse()
            {
                table.add(port, protocol, std::iter::once(name).chain(words));
            }
        }
        table
    }

    pub fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        self.ports
            .get(&(name.to_owned(), protocol.to_owned()))
            .copied()
    }

    pub fn name(&self, port: u16, protocol: &str) -> Option<String> {
        self.names.get(&(port, protocol.to_owned())).cloned()
    }

    fn add<'a>(&mut self, port: u16, protocol: &str, names: impl Iterator<Item = &'a str>) {
        for name in names {
            self.ports
                .entry((name.to_owned(), protocol.to_owned()))
                .or_insert(port);
            self.names
                .entry((port, protocol.to_owned()))
                .or_insert_with(|| name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_looked_up_by_protocol() {
        let table = ServiceNames::parse(
            "# comment\nshell\t514/tcp  cmd syslog # none\nsyslog 514/udp\nbad line\nlate 514/tcp\n",
        );
        assert_eq!(table.port("syslog", "tcp"), Some(514));
        assert_eq!(table.port("cmd", "udp"), None);
        assert_eq!(table.name(514, "tcp").as_deref(), Some("shell"));
        assert_eq!(table.name(514, "udp").as_deref(), Some("syslog"));
        assert_eq!(table.name(514, "sctp"), None);
    }
}
