//! A section, and the virtual server that it means.

use std::net::{IpAddr, Ipv4Addr};

use rlvs_check::spec::{ServicePolicy, SorryServer};
use rlvs_control::model::{Family, Granularity, Persistence, Tunnel};
use rlvs_control::{Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey};

use super::check::{Target, checks};
use super::directives::Scope;
use super::lines::Section;
use crate::keepalived::Word;
use crate::keepalived::notes::Notes;
use crate::model::{RealServer, VirtualServer};
use crate::names::Names;
use crate::range;
use crate::source::Place;

/// The virtual server, and where its real servers are written; none if it is wrong, which is said.
pub(super) fn settle(
    section: &Section,
    scope: &Scope,
    names: &dyn Names,
    notes: &mut Notes,
) -> Option<(VirtualServer, Vec<Place>)> {
    let key = key(section, scope, names, notes)?;
    let mut settling = Settling {
        scope,
        names,
        notes,
        key,
    };
    let service = settling.service();
    let sorry_server = settling.sorry_server();
    let (mut real, mut places) = (Vec::new(), Vec::new());
    let mut written = &scope.real[..];
    if scope.check_type == "off" {
        let message = "`off` lets no real server serve: they are left out";
        settling
            .notes
            .warn(section.head.place, "checktype", message);
        written = &[];
    }
    for words in written {
        for one in settling.reals(words) {
            places.push(words.first().map_or(section.head.place, |word| word.place));
            real.push(one);
        }
    }
    let server = VirtualServer {
        group: None,
        services: vec![service],
        local_addresses: Vec::new(),
        real,
        policy: ServicePolicy {
            sorry_server: sorry_server
                .as_ref()
                .map(|_| SorryServer { inhibit: false }),
            ..ServicePolicy::default()
        },
        sorry_server,
        quorum_up: None,
        quorum_down: None,
        smtp_alert: false,
    };
    Some((server, places))
}

struct Settling<'a> {
    scope: &'a Scope,
    names: &'a dyn Names,
    notes: &'a mut Notes,
    key: ServiceKey,
}

/// `ADDRESS:PORT`, or a mark.
fn key(
    section: &Section,
    scope: &Scope,
    names: &dyn Names,
    notes: &mut Notes,
) -> Option<ServiceKey> {
    let Word { text, place } = &section.head;
    let family = match section.is_ipv6 {
        true => Family::Ipv6,
        false => Family::Ipv4,
    };
    if let Ok(mark) = text.parse() {
        return Some(ServiceKey::Mark { family, mark });
    }
    let protocol = match scope.protocol.as_deref() {
        Some("udp") => Protocol::Udp,
        Some(_) => Protocol::Tcp,
        None if text.ends_with(":53") || text.ends_with(":domain") => Protocol::Udp,
        None => Protocol::Tcp,
    };
    match endpoint(text, protocol, names) {
        Some((address, Some(port))) => Some(ServiceKey::Address {
            protocol,
            address,
            port,
        }),
        _ => {
            let message = format!("`{text}` is neither ADDRESS:PORT nor a mark; it is left out");
            notes.warn(*place, "virtual", message);
            None
        }
    }
}

impl Settling<'_> {
    fn service(&mut self) -> Service {
        let scope = self.scope;
        let persistence = scope.persistent.map(|timeout| Persistence {
            timeout,
            granularity: self.granularity(),
        });
        Service {
            key: self.key,
            scheduler: scope.scheduler.clone(),
            scheduler_flags: 0,
            persistence,
            one_packet: scope.one_packet,
            persistence_engine: None,
            client_address: Default::default(),
            slow_start: 0,
        }
    }

    fn granularity(&mut self) -> Granularity {
        let is_ipv6 = self.key.family() == Family::Ipv6;
        let mask = self.scope.netmask.as_ref();
        let read = mask.and_then(|word| match is_ipv6 {
            true => word.text.parse().ok().map(Granularity::Prefix),
            false => word.text.parse().ok().map(Granularity::Mask),
        });
        if let (Some(word), None) = (mask, read) {
            let message = format!("`{}` is no mask for this service", word.text);
            self.notes.warn(word.place, "netmask", message);
        }
        read.unwrap_or(match is_ipv6 {
            true => Granularity::Prefix(128),
            false => Granularity::Mask(Ipv4Addr::BROADCAST),
        })
    }

    fn protocol(&self) -> Protocol {
        match self.key {
            ServiceKey::Address { protocol, .. } => protocol,
            ServiceKey::Mark { .. } => Protocol::Tcp,
        }
    }

    fn port(&self) -> u16 {
        match self.key {
            ServiceKey::Address { port, .. } => port,
            ServiceKey::Mark { .. } => 0,
        }
    }

    fn sorry_server(&mut self) -> Option<Destination> {
        let word = self.scope.fallback.first()?;
        let Some((address, port)) = endpoint(&word.text, self.protocol(), self.names) else {
            let message = format!("`{}` is no address", word.text);
            self.notes.warn(word.place, "fallback", message);
            return None;
        };
        let method = self.scope.fallback.get(1);
        let method = method.map_or(Some(ForwardingMethod::Route), |word| self.method(word));
        let port = port.unwrap_or(self.port());
        Some(destination(DestinationKey { address, port }, method?))
    }

    /// `ADDRESS[->ADDRESS][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`
    fn reals(&mut self, words: &[Word]) -> Vec<RealServer> {
        let [first, rest @ ..] = words else {
            return Vec::new();
        };
        let Some((addresses, port)) = self.addresses(&first.text) else {
            let message = format!("`{}` is no address; it is left out", first.text);
            self.notes.warn(first.place, "real", message);
            return Vec::new();
        };
        let Some(method) = rest.first().and_then(|word| self.method(word)) else {
            let message = "its method is missing: gate, masq or ipip; it is left out";
            self.notes.warn(first.place, "real", message);
            return Vec::new();
        };
        let more = self.more(&rest[1..]);
        let one = |address| {
            let key = DestinationKey { address, port };
            Destination {
                weight: more.weight,
                upper_threshold: more.upper,
                lower_threshold: more.lower,
                ..destination(key, method)
            }
        };
        let destinations: Vec<_> = addresses.into_iter().map(one).collect();
        let reals = destinations.into_iter();
        reals.map(|it| self.real(it, &more, first.place)).collect()
    }

    fn real(&mut self, destination: Destination, more: &More, place: Place) -> RealServer {
        let DestinationKey { address, port } = destination.key;
        let (virtual_name, virtual_port) = match self.key {
            ServiceKey::Address { address, port, .. } => (address.to_string(), port.to_string()),
            ServiceKey::Mark { mark, .. } => (mark.to_string(), String::new()),
        };
        let target = Target {
            request: more.request.clone(),
            receive: more.receive.clone(),
            words: [
                virtual_name,
                virtual_port,
                address.to_string(),
                port.to_string(),
            ],
        };
        RealServer {
            checks: checks(self.scope, &self.key, &target, place, self.notes),
            inhibit_on_failure: self.scope.quiescent,
            smtp_alert: self.scope.mails(),
            ..RealServer::new(destination)
        }
    }

    fn more(&mut self, words: &[Word]) -> More {
        let mut more = More::default();
        let mut quoted = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let text = word.text.trim_matches(['<', '>']);
            match (index, text.parse(), text.split_once(':')) {
                (0, Ok(weight), _) => more.weight = weight,
                (_, _, Some(("l", number))) => more.lower = number.parse().unwrap_or(0),
                (_, _, Some(("u", number))) => more.upper = number.parse().unwrap_or(0),
                _ => quoted.push(word.text.clone()),
            }
        }
        let mut quoted = quoted.into_iter();
        more.request = quoted.next();
        more.receive = quoted.next();
        more
    }

    fn addresses(&self, text: &str) -> Option<(Vec<IpAddr>, u16)> {
        let (first, last) = match text.split_once("->") {
            Some((first, last)) => (first, Some(last)),
            None => (text, None),
        };
        let (end, port) = endpoint(last.unwrap_or(first), self.protocol(), self.names)?;
        let addresses = match last {
            None => vec![end],
            Some(_) => range::addresses(&format!("{first}-{end}")).ok()?,
        };
        Some((addresses, port.unwrap_or(0)))
    }

    fn method(&mut self, word: &Word) -> Option<ForwardingMethod> {
        Some(match word.text.as_str() {
            "gate" => ForwardingMethod::Route,
            "masq" => ForwardingMethod::Masquerade,
            "ipip" => ForwardingMethod::Tunnel(Tunnel::Ipip),
            other => {
                let message = format!("`{other}` is none of gate, masq and ipip");
                self.notes.warn(word.place, "real", message);
                return None;
            }
        })
    }
}

/// What may follow the method.
struct More {
    weight: u32,
    lower: u32,
    upper: u32,
    request: Option<String>,
    receive: Option<String>,
}

impl Default for More {
    fn default() -> Self {
        Self {
            weight: 1,
            lower: 0,
            upper: 0,
            request: None,
            receive: None,
        }
    }
}

fn destination(key: DestinationKey, method: ForwardingMethod) -> Destination {
    Destination {
        key,
        method,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

/// `ADDRESS[:PORT]`, in numbers or names.
fn endpoint(text: &str, protocol: Protocol, names: &dyn Names) -> Option<(IpAddr, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let address = host.parse().ok().or_else(|| names.address(host))?;
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().or_else(|| names.port(port, protocol))?),
        None => None,
    };
    Some((address, port))
}
