//! What the data plane cannot do yet.
//!
//! The model speaks all of LVS so that configurations can be read and errors named; what would be
//! accepted and then not done is refused here instead.

use rlvs_control::{Change, Code, Destination, Error, ForwardingMethod, sysctl};

/// Refuses what would not be carried out.
pub fn check(change: &Change) -> Result<(), Error> {
    let missing = match change {
        Change::AddDestination { destination, .. }
        | Change::EditDestination { destination, .. } => in_destination(destination),
        Change::AddService(_)
        | Change::EditService(_)
        | Change::DeleteService(_)
        | Change::Flush
        | Change::DeleteDestination { .. }
        | Change::Drain { .. }
        | Change::Undrain { .. }
        | Change::AddLocalAddress { .. }
        | Change::DeleteLocalAddress { .. }
        | Change::SetTimeouts { .. }
        | Change::StartDaemon(_)
        | Change::StopDaemon(_)
        | Change::Zero { .. } => None,
        Change::SetSysctl { name, value } => return sysctl::find(name)?.take(value).map(drop),
    };
    match missing {
        None => Ok(()),
        Some(what) => Err(Error::new(
            Code::Unsupported,
            format!("{what}: not there yet in rlvs"),
        )),
    }
}

fn in_destination(destination: &Destination) -> Option<String> {
    let missing = match destination.method {
        ForwardingMethod::Route
        | ForwardingMethod::Masquerade
        | ForwardingMethod::Tunnel(_)
        | ForwardingMethod::FullNat => return None,
        // Not by a command: the others to an address of this host go to its stack.
        ForwardingMethod::Local => "the forwarding method `local'",
    };
    Some(format!(
        "{}: {missing} (there are -g, -i and -m)",
        destination.key
    ))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use rlvs_control::model::{Family, Granularity, Persistence, Tunnel};
    use rlvs_control::{DestinationKey, Protocol, Service, ServiceKey};
    use rlvs_engine::schedule::Scheduler;

    use super::*;

    #[test]
    fn takes_what_is_there() {
        for scheduler in Scheduler::ALL.map(Scheduler::name) {
            assert_eq!(
                check_service(|service| service.scheduler = scheduler.into()),
                Ok(())
            );
        }
        assert_eq!(
            check_service(|service| service.persistence_engine = Some("sip".into())),
            Ok(())
        );
        assert_eq!(
            check_service(|service| service.persistence = Some(persistence())),
            Ok(())
        );
        assert_eq!(
            check_service(|service| {
                service.key = key(Protocol::Tcp, 0);
                service.persistence = Some(persistence());
            }),
            Ok(())
        );
        assert_eq!(
            check_service(|service| {
                service.key = key(Protocol::Udp, 53);
                service.one_packet = true;
            }),
            Ok(())
        );
        let family = Family::Ipv4;
        assert_eq!(
            check_service(|service| service.key = ServiceKey::Mark { family, mark: 7 }),
            Ok(())
        );
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
            assert_eq!(
                check_service(|service| service.key = key(protocol, 80)),
                Ok(())
            );
        }
        for method in [
            ForwardingMethod::Route,
            ForwardingMethod::Masquerade,
            ForwardingMethod::Tunnel(Tunnel::Ipip),
            ForwardingMethod::FullNat,
        ] {
            assert_eq!(check_destination(method), Ok(()));
        }
    }

    #[test]
    fn names_what_is_missing() {
        let refused = check_destination(ForwardingMethod::Local).unwrap_err();
        assert_eq!(refused.code, Code::Unsupported);
    }

    #[test]
    fn leaves_unknown_schedulers_to_others() {
        assert_eq!(
            check_service(|service| service.scheduler = "fastest".into()),
            Ok(())
        );
    }

    fn check_service(edit: impl FnOnce(&mut Service)) -> Result<(), Error> {
        let mut service = Service {
            key: key(Protocol::Tcp, 80),
            scheduler: "wlc".into(),
            scheduler_flags: 0,
            persistence: None,
            one_packet: false,
            persistence_engine: None,
            client_address: Default::default(),
            slow_start: 0,
        };
        edit(&mut service);
        check(&Change::AddService(service))
    }

    fn check_destination(method: ForwardingMethod) -> Result<(), Error> {
        check(&Change::AddDestination {
            service: key(Protocol::Tcp, 80),
            destination: Destination {
                key: DestinationKey {
                    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    port: 80,
                },
                method,
                weight: 1,
                upper_threshold: 0,
                lower_threshold: 0,
            },
        })
    }

    fn key(protocol: Protocol, port: u16) -> ServiceKey {
        ServiceKey::Address {
            protocol,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port,
        }
    }

    fn persistence() -> Persistence {
        Persistence {
            timeout: 360,
            granularity: Granularity::Mask(Ipv4Addr::BROADCAST),
        }
    }
}
