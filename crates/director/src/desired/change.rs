//! One change made to the state: its preconditions, its effect, its opposite.

use std::net::IpAddr;

use rlvs_control::{
    Change, Code, Destination, DestinationKey, Error, Service, ServiceKey, SyncDaemon, SyncRole,
    rules, sysctl,
};

use super::undo::Undo;
use super::{Desired, DesiredDestination, DesiredService, Moment};

type Made = Result<Undo, Error>;

impl Desired {
    pub(super) fn make(&mut self, change: &Change, moment: &mut Moment) -> Made {
        let now = moment.now;
        match change {
            Change::AddService(service) => {
                moment.added.insert(service.key);
                self.add_service(service)
            }
            Change::EditService(service) => self.edit_service(service),
            Change::DeleteService(key) => self.delete_service(key),
            Change::Flush => Ok(Undo::PutBackAll(std::mem::take(&mut self.services))),
            Change::AddDestination {
                service,
                destination,
            } => {
                let is_late = !moment.added.contains(service);
                self.add_destination(service, destination, is_late.then_some(now))
            }
            Change::EditDestination {
                service,
                destination,
            } => self.edit_destination(service, destination, now),
            Change::DeleteDestination {
                service,
                destination,
            } => self.delete_destination(service, destination),
            Change::Drain {
                service,
                destination,
                deadline,
                keep_clients,
            } => self.replace_destination(service, destination, |known| {
                Ok(known.drained(*deadline, *keep_clients, now))
            }),
            Change::Undrain {
                service,
                destination,
            } => self
                .replace_destination(service, destination, |known| known.undrained(service, now)),
            Change::AddLocalAddress { service, address } => {
                self.add_local_address(service, *address)
            }
            Change::DeleteLocalAddress { service, address } => {
                self.delete_local_address(service, *address)
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => self.set_timeouts(*tcp, *tcp_fin, *udp),
            Change::SetSysctl { name, value } => self.set_sysctl(name, value),
            Change::StartDaemon(daemon) => self.start_daemon(daemon),
            Change::StopDaemon(role) => self.stop_daemon(*role),
            Change::Zero { service } => self.zero(service.as_ref()),
        }
    }

    fn add_service(&mut self, service: &Service) -> Made {
        if self.services.contains(&service.key) {
            return Err(Error::new(
                Code::ServiceExists,
                format!(
                    "the service {} exists already: edit it, or delete it first",
                    service.key
                ),
            ));
        }
        rules::service(service)?;
        self.services.add(DesiredService::new(service.clone()));
        Ok(Undo::RemoveService(service.key))
    }

    fn edit_service(&mut self, service: &Service) -> Made {
        let known = self.known_mut(&service.key)?;
        rules::service(service)?;
        known
            .destinations()
            .try_for_each(|it| rules::together(service, it))?;
        Ok(Undo::ReplaceService(Box::new(std::mem::replace(
            &mut known.service,
            service.clone(),
        ))))
    }

    fn delete_service(&mut self, key: &ServiceKey) -> Made {
        let (place, service) = self
            .services
            .remove(key)
            .ok_or_else(|| no_such_service(key))?;
        Ok(Undo::PutBackService(place, Box::new(service)))
    }

    fn add_destination(
        &mut self,
        key: &ServiceKey,
        destination: &Destination,
        since: Option<u64>,
    ) -> Made {
        let service = self.known_mut(key)?;
        rules::destination(key, destination)?;
        rules::together(&service.service, destination)?;
        if service.destinations.contains(&destination.key) {
            return Err(Error::new(
                Code::DestinationExists,
                format!(
                    "{} is a destination of {key} already: edit it, or delete it first",
                    destination.key
                ),
            ));
        }
        service
            .destinations
            .add(DesiredDestination::new(destination.clone(), since));
        Ok(Undo::RemoveDestination(*key, destination.key))
    }

    fn edit_destination(&mut self, key: &ServiceKey, destination: &Destination, now: u64) -> Made {
        let service = self.known_mut(key)?;
        rules::destination(key, destination)?;
        rules::together(&service.service, destination)?;
        self.replace_destination(key, &destination.key, |known| {
            Ok(known.edited(destination, now))
        })
    }

    fn replace_destination(
        &mut self,
        key: &ServiceKey,
        destination: &DestinationKey,
        with: impl FnOnce(&DesiredDestination) -> Result<DesiredDestination, Error>,
    ) -> Made {
        let service = self.known_mut(key)?;
        let known = service
            .destinations
            .find_mut(destination)
            .ok_or_else(|| no_such_destination(key, destination))?;
        let new = with(known)?;
        Ok(Undo::ReplaceDestination(
            *key,
            std::mem::replace(known, new),
        ))
    }

    fn delete_destination(&mut self, key: &ServiceKey, destination: &DestinationKey) -> Made {
        let (place, old) = self
            .known_mut(key)?
            .destinations
            .remove(destination)
            .ok_or_else(|| no_such_destination(key, destination))?;
        Ok(Undo::PutBackDestination(*key, place, old))
    }

    fn add_local_address(&mut self, key: &ServiceKey, address: IpAddr) -> Made {
        let service = self.known_mut(key)?;
        rules::local_address(key, address)?;
        if service.local_addresses.contains(&address) {
            return Err(Error::new(
                Code::LocalAddressExists,
                format!("{address} is a local address of {key} already"),
            ));
        }
        let before = service.local_addresses.clone();
        service.local_addresses.push(address);
        Ok(Undo::ReplaceLocalAddresses(*key, before))
    }

    fn delete_local_address(&mut self, key: &ServiceKey, address: IpAddr) -> Made {
        let service = self.known_mut(key)?;
        let before = service.local_addresses.clone();
        service.local_addresses.retain(|known| *known != address);
        if service.local_addresses.len() == before.len() {
            return Err(Error::new(
                Code::NoSuchLocalAddress,
                format!(
                    "{address} is not a local address of {key}: `ipvsadm --get-laddr` lists those \
                     it has"
                ),
            ));
        }
        Ok(Undo::ReplaceLocalAddresses(*key, before))
    }

    fn set_timeouts(&mut self, tcp: u32, tcp_fin: u32, udp: u32) -> Made {
        let old = self.timeouts;
        rules::timeouts(&[("tcp", tcp), ("tcp_fin", tcp_fin), ("udp", udp)])?;
        for (timeout, new) in [
            (&mut self.timeouts.tcp, tcp),
            (&mut self.timeouts.tcp_fin, tcp_fin),
            (&mut self.timeouts.udp, udp),
        ] {
            if new != 0 {
                *timeout = new;
            }
        }
        Ok(Undo::ReplaceTimeouts(old))
    }

    fn set_sysctl(&mut self, name: &str, value: &str) -> Made {
        let setting = sysctl::find(name)?;
        let value = setting.parse(value)?;
        let old = self.sysctls.insert(setting.name.to_owned(), value);
        Ok(Undo::ReplaceSysctl(setting.name, old))
    }

    fn start_daemon(&mut self, daemon: &SyncDaemon) -> Made {
        daemon.check()?;
        if self.daemons.contains_key(&daemon.role) {
            let message = format!(
                "a {} synchronisation daemon runs already: stop it first",
                daemon.role
            );
            return Err(Error::new(Code::DaemonRuns, message));
        }
        self.daemons.insert(daemon.role, daemon.clone());
        Ok(Undo::RemoveDaemon(daemon.role))
    }

    fn stop_daemon(&mut self, role: SyncRole) -> Made {
        let daemon = self.daemons.remove(&role);
        daemon.map(Undo::PutBackDaemon).ok_or_else(|| {
            let message = format!("no {role} synchronisation daemon runs");
            Error::new(Code::NoSuchDaemon, message)
        })
    }

    /// Counters are not part of the desired state: only whether the service exists matters here.
    fn zero(&self, key: Option<&ServiceKey>) -> Made {
        match key {
            Some(key) if !self.services.contains(key) => Err(no_such_service(key)),
            _ => Ok(Undo::Nothing),
        }
    }

    fn known_mut(&mut self, key: &ServiceKey) -> Result<&mut DesiredService, Error> {
        self.services
            .find_mut(key)
            .ok_or_else(|| no_such_service(key))
    }
}

fn no_such_service(key: &ServiceKey) -> Error {
    Error::new(
        Code::NoSuchService,
        format!("there is no service {key}: `ipvsadm -Ln` lists those there are"),
    )
}

fn no_such_destination(service: &ServiceKey, destination: &DestinationKey) -> Error {
    Error::new(
        Code::NoSuchDestination,
        format!(
            "{destination} is not a destination of {service}: `ipvsadm -Ln` lists those it has"
        ),
    )
}
