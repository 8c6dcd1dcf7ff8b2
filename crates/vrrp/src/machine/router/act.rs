//! What a virtual router does: it advertises, takes addresses, announces them, and tells.

use core::time::Duration;

use super::Machine;
use crate::machine::{Action, Event};
use crate::packet::{Advertisement, Carried, Envelope, Outgoing};
use crate::spec::Authentication;

impl Machine {
    /// Advertises, now and after an interval.
    pub(in crate::machine) fn advertise_on(&mut self, now: Duration) {
        self.advertise(now, self.priority);
        self.timer = Some(now + self.spec.interval);
    }

    pub(in crate::machine) fn advertise(&mut self, now: Duration, priority: u8) {
        let Some(source) = self.source else {
            return;
        };
        let (carried, key) = match self.spec.authentication {
            Authentication::None => (Carried::Nothing, None),
            Authentication::Password(key) => (Carried::Password(key), None),
            Authentication::Header(key) => (Carried::Header, Some(key)),
        };
        if key.is_some() {
            // At the last number it stays: who has heard that takes it again.
            self.sequence = self.sequence.saturating_add(1);
        }
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        let advertisement = Advertisement {
            version: self.spec.version,
            virtual_router: self.spec.virtual_router,
            priority,
            interval: self.spec.interval,
            carried,
            addresses: self.spec.addresses.clone(),
        };
        // The same for all: a signature does not depend on whom it goes to.
        let time = self.time_of_day + now;
        let signing = self.spec.signing.as_ref();
        let signature = signing.and_then(|signing| self.sequences.sign(signing, time));
        for (destination, hop_limit) in self.spec.destinations() {
            let envelope = Envelope {
                source,
                destination,
                hop_limit,
                sum: self.sum,
                identification: self.identification,
                authentication: key.map(|key| (key, self.sequence)),
                signature,
            };
            let outgoing = Outgoing::new(&envelope, &advertisement);
            self.actions.push(Action::Send(outgoing));
        }
    }

    pub(super) fn acquire(&mut self) {
        let accept = self.spec.accepts();
        self.actions.push(Action::Acquire { accept });
    }

    pub(in crate::machine) fn announce(&mut self, times: u32) {
        if times > 0 {
            self.actions.push(Action::Announce { times });
        }
    }

    pub(in crate::machine) fn tell(&mut self, event: Event) {
        self.actions.push(Action::Tell(event));
    }

    pub(super) fn done(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }
}
