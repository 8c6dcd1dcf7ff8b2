//! Random transactions against a model that simply clones.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn behaves_like_a_model_that_clones(
        transactions in prop::collection::vec(prop::collection::vec(changes(), 1..6), 1..12)
    ) {
        let (mut desired, mut model) = (Desired::default(), Model::default());
        for changes in transactions {
            let before = desired.clone();
            let expected = model.apply(&changes);
            let made = desired.apply(&Transaction::from(changes), 0, &mut |_, _| ());
            prop_assert_eq!(made.as_ref().err().map(|error| error.change.unwrap()), expected);
            if made.is_err() {
                prop_assert_eq!(&desired, &before);
            }
            prop_assert_eq!(model, Model::of(&desired));
            model = Model::of(&desired);
        }
    }
}

/// Services by addition, timeouts, and what drop_entry was set to.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model(Vec<Modelled>, Timeouts, Option<u8>);

/// A service with its hosts by addition and their weights.
#[derive(Clone, Debug, PartialEq)]
struct Modelled {
    port: u16,
    scheduler: String,
    hosts: Vec<(u8, u32)>,
}

impl Model {
    fn of(desired: &Desired) -> Self {
        let services = desired.services().map(|known| {
            let ServiceKey::Address { port, .. } = known.service.key else {
                unreachable!()
            };
            let hosts = known
                .destinations()
                .rev()
                .map(|known| (host(known), known.weight));
            Modelled {
                port,
                scheduler: known.service.scheduler.clone(),
                hosts: hosts.collect(),
            }
        });
        let set = desired
            .sysctl("drop_entry")
            .map(|value| value.parse().unwrap());
        Self(services.collect(), desired.timeouts(), set)
    }

    /// The index of the change that failed, if any.
    fn apply(&mut self, changes: &[Change]) -> Option<usize> {
        let mut copy = self.clone();
        let failed = changes
            .iter()
            .position(|change| copy.make(change).is_none());
        if failed.is_none() {
            *self = copy;
        }
        failed
    }

    fn make(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::AddService(wanted) => {
                let (port, scheduler) = (port(&wanted.key), wanted.scheduler.clone());
                let absent = self.index(port).is_none();
                absent.then(|| {
                    self.0.push(Modelled {
                        port,
                        scheduler,
                        hosts: vec![],
                    })
                })
            }
            Change::EditService(wanted) => {
                let index = self.index(port(&wanted.key))?;
                self.0[index].scheduler.clone_from(&wanted.scheduler);
                Some(())
            }
            Change::DeleteService(key) => {
                let index = self.index(port(key))?;
                self.0.remove(index);
                Some(())
            }
            Change::Flush => {
                self.0.clear();
                Some(())
            }
            Change::AddDestination {
                service,
                destination,
            } => {
                let index = self.index(port(service))?;
                let hosts = &mut self.0[index].hosts;
                let new = (host(destination), destination.weight);
                hosts
                    .iter()
                    .all(|known| known.0 != new.0)
                    .then(|| hosts.push(new))
            }
            Change::EditDestination {
                service,
                destination,
            } => {
                let index = self.index(port(service))?;
                let mut hosts = self.0[index].hosts.iter_mut();
                hosts.find(|known| known.0 == host(destination))?.1 = destination.weight;
                Some(())
            }
            Change::DeleteDestination {
                service,
                destination,
            } => {
                let index = self.index(port(service))?;
                let hosts = &mut self.0[index].hosts;
                let IpAddr::V4(address) = destination.address else {
                    unreachable!()
                };
                let at = hosts
                    .iter()
                    .position(|known| known.0 == address.octets()[3])?;
                hosts.remove(at);
                Some(())
            }
            Change::SetTimeouts { tcp, .. } => {
                self.1.tcp = if *tcp == 0 { self.1.tcp } else { *tcp };
                Some(())
            }
            Change::SetSysctl { value, .. } => {
                let value = value.parse().unwrap();
                self.2 = Some(value).filter(|value| *value <= 3).or(self.2);
                (value <= 3).then_some(())
            }
            Change::Zero { service: Some(key) } => self.index(port(key)).map(drop),
            Change::Zero { service: None } => Some(()),
            Change::StartDaemon(_)
            | Change::StopDaemon(_)
            | Change::Drain { .. }
            | Change::Undrain { .. }
            | Change::AddLocalAddress { .. }
            | Change::DeleteLocalAddress { .. } => {
                unreachable!("not of this world")
            }
        }
    }

    fn index(&self, port: u16) -> Option<usize> {
        self.0.iter().position(|known| known.port == port)
    }
}

/// Few keys, so that most changes meet what is there.
fn changes() -> impl Strategy<Value = Change> {
    let key = || (1u16..4).prop_map(key);
    let service = || {
        (1u16..4, prop::sample::select(vec!["rr", "wlc"])).prop_map(|(port, scheduler)| Service {
            scheduler: scheduler.into(),
            ..service(port)
        })
    };
    let target = || {
        (1u16..4, 1u8..5, 0u32..3).prop_map(|(port, host, weight)| {
            let mut wanted = Destination {
                weight,
                ..destination(host)
            };
            wanted.key.port = port;
            (super::key(port), wanted)
        })
    };
    prop_oneof![
        4 => service().prop_map(Change::AddService),
        1 => service().prop_map(Change::EditService),
        1 => key().prop_map(Change::DeleteService),
        1 => Just(Change::Flush),
        8 => target().prop_map(|(service, destination)| {
            Change::AddDestination { service, destination }
        }),
        2 => target().prop_map(|(service, destination)| {
            Change::EditDestination { service, destination }
        }),
        2 => target().prop_map(|(service, destination)| {
            Change::DeleteDestination { service, destination: destination.key }
        }),
        1 => (0u32..5).prop_map(|tcp| Change::SetTimeouts { tcp, tcp_fin: 0, udp: 0 }),
        1 => (0u8..5).prop_map(|value| Change::SetSysctl {
            name: "drop_entry".to_owned(),
            value: value.to_string(),
        }),
        1 => prop::option::of(key()).prop_map(|service| Change::Zero { service }),
    ]
}
