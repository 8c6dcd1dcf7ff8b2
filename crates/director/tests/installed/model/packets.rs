//! What becomes of a packet.

use std::net::{IpAddr, SocketAddr};

use rlvs_control::model::Granularity;
use rlvs_control::{Destination, Protocol, ServiceKey};
use rlvs_testing::Packet;
use rlvs_testing::packet::{RST, SCTP, SYN, TCP, UDP, Upper, chunk};

use super::state::{State, asks, associated, meant, next, opened};
use super::{Connection, ConnectionKey, Fate, Identity, Model, Template, TemplateKey};
use crate::reference::Candidate;

impl Model {
    /// A well-formed packet to the director.
    pub(crate) fn packet(&mut self, packet: &Packet) -> Fate {
        let (protocol, flags) = match packet.upper {
            Upper::Tcp { flags, .. } => (TCP, flags),
            Upper::Udp => (UDP, 0),
            Upper::Sctp { chunk, second, .. } => (SCTP, meant(chunk, second)),
            Upper::Other(_) => return Fate::Pass,
        };
        let key = (protocol, packet.source, packet.destination);
        if let Some(connection) = self.connections.get(&key).cloned() {
            if !self.begins_anew(&connection, flags) && !self.is_forsaken(&connection.to) {
                return self.follow(key, connection.to, flags, packet);
            }
            self.end(&key);
        }
        self.begin(key, flags, packet)
    }

    fn begins_anew(&self, connection: &Connection, flags: u8) -> bool {
        if self.is_over(connection.state, connection.seen, 0) {
            return true;
        }
        if !asks(connection.state, flags) {
            return false;
        }
        if self.sysctl("expire_nodest_conn") != 0 && self.known[&connection.to].weight == 0 {
            return true;
        }
        let mode = self.sysctl("conn_reuse_mode");
        let reuse = match connection.state {
            State::TimeWait | State::Close | State::Closed => mode != 0,
            State::FinWait => mode & 2 != 0,
            _ => false,
        };
        reuse && connection.template.is_none()
    }

    fn follow(&mut self, key: ConnectionKey, to: Identity, flags: u8, packet: &Packet) -> Fate {
        if self.known[&to].removed.is_some() {
            return Fate::Drop;
        }
        let is_secure = self.sysctl("secure_tcp") != 0;
        let connection = self.connections.get_mut(&key).expect("it was found");
        connection.seen = self.tick;
        let before = connection.state;
        connection.state = next(before, flags, is_secure);
        let after = connection.state;
        self.count_state(to, before, false);
        self.count_state(to, after, true);
        self.count(to, packet, false);
        leave(packet, to)
    }

    fn begin(&mut self, key: ConnectionKey, flags: u8, packet: &Packet) -> Fate {
        let begins = match key.0 {
            TCP if self.sysctl("sloppy_tcp") != 0 => flags & RST == 0,
            TCP => flags & (SYN | RST) == SYN,
            SCTP if self.sysctl("sloppy_sctp") != 0 => flags != chunk::ABORT,
            SCTP => flags == chunk::INIT,
            _ => true,
        };
        if !begins {
            return Fate::Pass;
        }
        let Some(service) = self.service(&key) else {
            return Fate::Pass;
        };
        if self.sheds() {
            return Fate::Drop;
        }
        let Some((to, template)) = self.choose(service, &key) else {
            return Fate::Drop;
        };
        let state = match key.0 {
            TCP => opened(flags, self.sysctl("secure_tcp") != 0),
            SCTP => associated(flags),
            _ => State::Udp,
        };
        let connection = Connection {
            to,
            state,
            seen: self.tick,
            template,
        };
        self.connections.insert(key, connection);
        self.count_state(to, state, true);
        let known = self.known.get_mut(&to).expect("it was chosen");
        if known.upper != 0 && known.active + known.inactive >= known.upper {
            known.overloaded = true;
        }
        self.count(to, packet, true);
        leave(packet, to)
    }

    fn sheds(&mut self) -> bool {
        let rate = self.sysctl("drop_packet");
        self.shed_in -= i64::from(rate != 0);
        let sheds = rate != 0 && self.shed_in <= 0;
        if sheds {
            self.shed_in = rate.into();
        }
        sheds
    }

    fn service(&self, &(protocol, _, to): &ConnectionKey) -> Option<ServiceKey> {
        self.services.keys().copied().find(|key| match key {
            ServiceKey::Address {
                protocol: of,
                address,
                port,
            } => {
                let number = match of {
                    Protocol::Tcp => TCP,
                    Protocol::Udp => UDP,
                    Protocol::Sctp => SCTP,
                };
                number == protocol && SocketAddr::new(*address, *port) == to
            }
            ServiceKey::Mark { .. } => false,
        })
    }

    fn choose(
        &mut self,
        service: ServiceKey,
        key: &ConnectionKey,
    ) -> Option<(Identity, Option<TemplateKey>)> {
        let Some(persistence) = self.services[&service].service.persistence else {
            return Some((self.schedule(service)?, None));
        };
        let template = (key.0, masked(key.1.ip(), persistence.granularity), key.2);
        if let Some(to) = self.recall(&template) {
            return Some((to, Some(template)));
        }
        let to = self.schedule(service)?;
        self.templates.insert(
            template,
            Template {
                to,
                seen: self.tick,
                children: 1,
            },
        );
        self.known.get_mut(&to).expect("it was chosen").templates += 1;
        Some((to, Some(template)))
    }

    fn recall(&mut self, key: &TemplateKey) -> Option<Identity> {
        let found = self.templates.get(key)?;
        let to = found.to;
        let known = &self.known[&to];
        let is_quiescent = self.sysctl("expire_quiescent_template") != 0 && known.weight == 0;
        if known.removed.is_some() || is_quiescent || self.template_is_over(found, 0) {
            self.end_template(key);
            return None;
        }
        let found = self.templates.get_mut(key)?;
        found.seen = self.tick;
        found.children += 1;
        Some(to)
    }

    fn schedule(&mut self, service: ServiceKey) -> Option<Identity> {
        let listed = self.services.get_mut(&service)?;
        let candidate = |destination: &Destination| {
            let known = &self.known[&(service, destination.key)];
            Candidate {
                weight: destination.weight,
                overloaded: known.overloaded,
                active: known.active,
                inactive: known.inactive,
            }
        };
        let candidates: Vec<_> = listed.destinations.iter().map(candidate).collect();
        let place = listed
            .scheduler
            .pick(&listed.service.scheduler, &candidates)?;
        Some((service, listed.destinations[place].key))
    }
}

fn leave(packet: &Packet, (_, to): Identity) -> Fate {
    if packet.hops <= 1 {
        Fate::Drop
    } else {
        Fate::To(to)
    }
}

fn masked(client: IpAddr, granularity: Granularity) -> IpAddr {
    match (client, granularity) {
        (IpAddr::V4(client), Granularity::Mask(mask)) => (client & mask).into(),
        (IpAddr::V6(client), Granularity::Prefix(length)) => {
            let mut octets = client.octets();
            for bit in usize::from(length)..128 {
                octets[bit / 8] &= !(0x80 >> (bit % 8));
            }
            octets.into()
        }
        _ => panic!("{client} and {granularity:?}"),
    }
}
