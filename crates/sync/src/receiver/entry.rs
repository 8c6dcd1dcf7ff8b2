//! What a record means to a backup (`ip_vs_proc_conn`).

use std::net::SocketAddr;
use std::time::Duration;

use rlvs_wire::protocol::TCP;

use crate::flags::{Flags, Forwarding};
use crate::reason::Reason;
use crate::record::Record;
use crate::state::State;

/// Of templates of which a message does not say it.
const TEMPLATE_LASTS: Duration = Duration::from_secs(180);
/// The only persistence engine.
const SIP: &[u8] = b"sip";

const FTP: u16 = 21;
const FTP_DATA: u16 = 20;
const FIRST_UNPRIVILEGED: u16 = 1024;

/// A record that means something here: its state is one of its protocol's, its flags are those that
/// a backup takes, and its engine is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    record: Record,
    state: State,
}

/// The connection or template with a record's client, virtual address and protocol, that the backup
/// has. With a persistence engine its data stand for a template's client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    pub destination: SocketAddr,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// There was none: it begins.
    Begin,
    /// State, activity, sequence numbers and time are the record's from now on. Its destination and
    /// how that gets packets stay, and so does the mark.
    Update,
    /// It went elsewhere: it ends now, and the record's begins.
    Replace,
    /// The record is the end of an earlier connection: nothing.
    Ignore,
}

/// Where a service may be found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// By firewall mark, of the record's IP version.
    Mark(u32),
    /// By address and port. With 0 it is the one for all ports.
    Address { protocol: u8, address: SocketAddr },
}

impl TryFrom<Record> for Entry {
    type Error = Reason;

    fn try_from(mut record: Record) -> Result<Self, Reason> {
        let state = record.state()?;
        if record.engine.as_ref().is_some_and(|it| it.name() != SIP) {
            return Err(Reason::UnknownEngine);
        }
        if record.flags.has(Flags::ONE_PACKET) {
            return Err(Reason::OnePacket);
        }
        record.flags = record.flags.taken();
        Ok(Self { record, state })
    }
}

impl Entry {
    pub fn record(&self) -> &Record {
        &self.record
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Whether its destination counts it as active.
    pub fn is_active(&self) -> bool {
        !self.record.flags.has(Flags::INACTIVE)
    }

    /// How it is forwarded as long as it has no destination here; `None` for a number that says
    /// nothing.
    pub fn forwarding(&self) -> Option<Forwarding> {
        self.record.flags.forwarding()
    }

    /// What becomes of what is held with its ends.
    pub fn meets(&self, held: Option<&Held>) -> Action {
        match held {
            None => Action::Begin,
            Some(_) if self.state.is_template() => Action::Update,
            Some(held) if held.destination == self.record.destination() => Action::Update,
            Some(_) if self.is_active() => Action::Replace,
            Some(_) => Action::Ignore,
        }
    }

    /// How long it lasts from now on without another packet or record: as the message says, or else
    /// as here for its state. Never longer than `longest`.
    pub fn lasts(&self, by_state: impl FnOnce(State) -> Duration, longest: Duration) -> Duration {
        let lasts = match self.record.timeout {
            0 if self.state.is_template() => TEMPLATE_LASTS,
            0 => by_state(self.state),
            seconds => Duration::from_secs(seconds.into()),
        };
        lasts.min(longest)
    }

    /// Where its service is looked for, in this order (`ip_vs_service_find`): the first that there is
    /// has the destination, or nobody has. Port 21 stands for data connections of FTP.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        let Record { protocol, mark, .. } = self.record;
        let address = self.record.virtual_address();
        let port = address.port();
        let is_data = protocol == TCP && (port == FTP_DATA || port >= FIRST_UNPRIVILEGED);
        let by_mark = (mark != 0).then_some(Service::Mark(mark));
        let ports = [Some(port), is_data.then_some(FTP), Some(0)];
        let by_address = ports
            .into_iter()
            .flatten()
            .map(move |port| Service::Address {
                protocol,
                address: SocketAddr::new(address.ip(), port),
            });
        by_mark.into_iter().chain(by_address)
    }

    /// With which ports its destination is looked for among the service's, in this order
    /// (`ip_vs_find_dest`): those of services for several ports have none.
    pub fn destination_ports(&self) -> [u16; 2] {
        let port = self.record.ports.destination;
        let is_masqueraded = self.forwarding() == Some(Forwarding::Masquerade);
        match self.record.mark != 0 && !is_masqueraded {
            true => [0, port],
            false => [port, 0],
        }
    }
}

#[cfg(test)]
mod tests;
