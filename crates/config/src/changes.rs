//! The rules of ipvsadm, as changes, and the site that they make.

use std::collections::{HashMap, HashSet};

use rlvs_control::{
    Change, Code, Destination, DestinationKey, Error, Service, ServiceKey, Timeouts, rules,
};

use crate::model::{RealServer, Site, VirtualServer};

/// The site that these changes make of nothing; the error names the change.
pub fn of_changes(changes: &[Change]) -> Result<Site, Error> {
    let mut making = Making::default();
    for (index, change) in changes.iter().enumerate() {
        let change = rules::as_made(change);
        making.make(&change).map_err(|error| Error {
            change: Some(index),
            ..error
        })?;
    }
    Ok(making.site)
}

#[derive(Default)]
struct Making {
    site: Site,
    places: HashMap<ServiceKey, usize>,
    destinations: HashSet<(ServiceKey, DestinationKey)>,
}

impl Making {
    fn make(&mut self, change: &Change) -> Result<(), Error> {
        match change {
            Change::AddService(service) => self.add(service),
            Change::AddDestination {
                service,
                destination,
            } => self.add_destination(service, destination),
            Change::AddLocalAddress { service, address } => {
                rules::local_address(service, *address)?;
                let server = self.server(service)?;
                server.local_addresses.push(*address);
                Ok(())
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => self.timeouts(*tcp, *tcp_fin, *udp),
            Change::Flush => {
                *self = Self::default();
                Ok(())
            }
            _ => {
                let message = "only commands that add something make a site (-A, -a, --set)";
                Err(Error::new(Code::Invalid, message))
            }
        }
    }

    fn add(&mut self, service: &Service) -> Result<(), Error> {
        rules::service(service)?;
        let place = self.site.services.len();
        if self.places.insert(service.key, place).is_some() {
            let message = format!("{} is there already", service.key);
            return Err(Error::new(Code::ServiceExists, message));
        }
        self.site.services.push(VirtualServer {
            group: None,
            services: vec![service.clone()],
            local_addresses: Vec::new(),
            real: Vec::new(),
            sorry_server: None,
            policy: Default::default(),
            quorum_up: None,
            quorum_down: None,
            smtp_alert: false,
        });
        Ok(())
    }

    fn add_destination(
        &mut self,
        service: &ServiceKey,
        destination: &Destination,
    ) -> Result<(), Error> {
        rules::destination(service, destination)?;
        let server = self.server(service)?;
        rules::together(&server.services[0], destination)?;
        server.real.push(RealServer::new(destination.clone()));
        if !self.destinations.insert((*service, destination.key)) {
            let message = format!("{service} has {} already", destination.key);
            return Err(Error::new(Code::DestinationExists, message));
        }
        Ok(())
    }

    fn server(&mut self, key: &ServiceKey) -> Result<&mut VirtualServer, Error> {
        let place = self.places.get(key).copied();
        let server = place.and_then(|place| self.site.services.get_mut(place));
        server.ok_or_else(|| Error::new(Code::NoSuchService, format!("there is no service {key}")))
    }

    fn timeouts(&mut self, tcp: u32, tcp_fin: u32, udp: u32) -> Result<(), Error> {
        rules::timeouts(&[("tcp", tcp), ("tcp_fin", tcp_fin), ("udp", udp)])?;
        let before = self.site.timeouts.unwrap_or_default();
        let or = |new, before| if new == 0 { before } else { new };
        self.site.timeouts = Some(Timeouts {
            tcp: or(tcp, before.tcp),
            tcp_fin: or(tcp_fin, before.tcp_fin),
            udp: or(udp, before.udp),
        });
        Ok(())
    }
}
