//! Changes of services and destinations.

use std::time::{Duration, Instant};

use rlvs_control::{Change, Destination, DestinationKey, Service, ServiceKey};

use super::state::State;
use super::{Identity, Listed, Model, Totals};
use crate::reference::Memory;

/// How long nobody needs a removed destination until it is forgotten.
const REMEMBERED: Duration = Duration::from_secs(120);

impl Model {
    /// A change that the director took.
    pub(crate) fn change(&mut self, change: &Change, now: Instant) {
        match change {
            Change::AddService(service) => self.add_service(service),
            Change::EditService(service) => self.edit_service(service),
            Change::DeleteService(key) => self.delete_service(key, now),
            Change::AddDestination {
                service,
                destination,
            } => self.add_destination(*service, destination),
            Change::EditDestination {
                service,
                destination,
            } => self.edit_destination(*service, destination),
            Change::DeleteDestination {
                service,
                destination,
            } => self.delete_destination(*service, *destination, now),
            Change::SetTimeouts { tcp, tcp_fin, udp } => self.set_timeouts([
                (State::Established, *tcp),
                (State::FinWait, *tcp_fin),
                (State::Udp, *udp),
            ]),
            Change::Flush
            | Change::Drain { .. }
            | Change::Undrain { .. }
            | Change::SetSysctl { .. }
            | Change::StartDaemon(_)
            | Change::StopDaemon(_)
            | Change::Zero { .. }
            | Change::AddLocalAddress { .. }
            | Change::DeleteLocalAddress { .. } => unreachable!("not of this world"),
        }
    }

    pub(crate) fn tidy(&mut self, now: Instant) {
        self.known.retain(|_, known| {
            let in_use = known.active + known.inactive + known.templates > 0;
            match &mut known.removed {
                Some(since) if in_use => *since = now,
                Some(since) => return now.duration_since(*since) < REMEMBERED,
                None => {}
            }
            true
        });
    }

    fn add_service(&mut self, service: &Service) {
        let listed = Listed {
            service: service.clone(),
            destinations: Vec::new(),
            scheduler: Memory::fresh(&service.scheduler, &[]),
            totals: Totals::default(),
        };
        self.services.insert(service.key, listed);
        for ((of, _), known) in &mut self.known {
            if *of == service.key {
                known.totals = Totals::default();
            }
        }
    }

    fn edit_service(&mut self, service: &Service) {
        let listed = self.listed(&service.key);
        if listed.service.scheduler != service.scheduler {
            listed.scheduler = Memory::fresh(&service.scheduler, &listed.weights());
        }
        listed.service = service.clone();
    }

    fn delete_service(&mut self, key: &ServiceKey, now: Instant) {
        let listed = self.services.remove(key).expect("it was taken");
        for destination in listed.destinations {
            self.remove((*key, destination.key), now);
        }
    }

    fn add_destination(&mut self, service: ServiceKey, destination: &Destination) {
        self.write((service, destination.key), destination);
        let listed = self.listed(&service);
        listed.destinations.insert(0, destination.clone());
        let weights = listed.weights();
        listed.scheduler.added(&listed.service.scheduler, &weights);
    }

    fn edit_destination(&mut self, service: ServiceKey, destination: &Destination) {
        self.write((service, destination.key), destination);
        let listed = self.listed(&service);
        let place = listed.place(&destination.key);
        listed.destinations[place] = destination.clone();
        let weights = listed.weights();
        listed
            .scheduler
            .changed(&listed.service.scheduler, &weights);
    }

    fn delete_destination(&mut self, service: ServiceKey, key: DestinationKey, now: Instant) {
        let listed = self.listed(&service);
        let place = listed.place(&key);
        listed.destinations.remove(place);
        let weights = listed.weights();
        listed
            .scheduler
            .removed(place, &listed.service.scheduler, &weights);
        self.remove((service, key), now);
    }

    /// Where it is zero, it stays as it is.
    fn set_timeouts(&mut self, all: [(State, u32); 3]) {
        let given = all.into_iter().filter(|&(_, seconds)| seconds != 0);
        self.timeouts.extend(given);
    }

    fn listed(&mut self, key: &ServiceKey) -> &mut Listed {
        self.services.get_mut(key).expect("it was taken")
    }

    fn write(&mut self, identity: Identity, destination: &Destination) {
        let known = self.known.entry(identity).or_default();
        let (upper, lower) = (destination.upper_threshold, destination.lower_threshold);
        let connections = known.active + known.inactive;
        let relieved = if lower == 0 {
            (3 * upper).div_ceil(4)
        } else {
            lower
        };
        known.overloaded |= connections >= upper;
        known.overloaded &= upper != 0 && connections >= relieved;
        (known.upper, known.lower) = (upper, lower);
        known.removed = None;
        known.weight = destination.weight;
    }

    fn remove(&mut self, identity: Identity, now: Instant) {
        self.known.get_mut(&identity).expect("it is known").removed = Some(now);
    }
}

impl Listed {
    fn weights(&self) -> Vec<u32> {
        self.destinations.iter().map(|it| it.weight).collect()
    }

    fn place(&self, key: &DestinationKey) -> usize {
        self.destinations
            .iter()
            .position(|it| it.key == *key)
            .expect("it is listed")
    }
}
