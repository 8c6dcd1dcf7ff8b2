//! Which destinations of which services are meant.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rlvs_control::model::Family;
use rlvs_control::{DestinationKey, Protocol, ServiceKey, Services};

use crate::remote::Whom;

/// A destination of a service.
pub(crate) type Place = (ServiceKey, DestinationKey);

/// Where to drain no longer.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The real server, ADDRESS:PORT, or ADDRESS for all of its ports
    #[arg(value_name = "DEST")]
    pub(super) destination: String,
    #[command(flatten)]
    pub(super) service: ServiceArguments,
    #[command(flatten)]
    pub(super) whom: Whom,
}

/// The service that is meant; all of them without one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct ServiceArguments {
    /// In this TCP service only
    #[arg(short, long, value_name = "VIP:PORT")]
    tcp_service: Option<SocketAddr>,
    /// In this UDP service only
    #[arg(short, long, value_name = "VIP:PORT")]
    udp_service: Option<SocketAddr>,
    /// In this SCTP service only
    #[arg(long, value_name = "VIP:PORT")]
    sctp_service: Option<SocketAddr>,
    /// In the services of this firewall mark only
    #[arg(short, long, value_name = "MARK")]
    fwmark_service: Option<u32>,
}

impl ServiceArguments {
    /// Those that are meant, if not all.
    fn keys(&self) -> Option<Vec<ServiceKey>> {
        let named = [
            (Protocol::Tcp, self.tcp_service),
            (Protocol::Udp, self.udp_service),
            (Protocol::Sctp, self.sctp_service),
        ];
        let at = |(protocol, at): (Protocol, Option<SocketAddr>)| {
            at.map(|at| ServiceKey::Address {
                protocol,
                address: at.ip(),
                port: at.port(),
            })
        };
        let marked =
            |mark| [Family::Ipv4, Family::Ipv6].map(|family| ServiceKey::Mark { family, mark });
        let by_address = named.into_iter().find_map(at).map(|key| vec![key]);
        by_address.or(self.fwmark_service.map(|mark| marked(mark).into()))
    }
}

/// All places that are meant, of those there are.
pub(super) fn find(
    destination: &str,
    service: &ServiceArguments,
    services: &Services,
) -> Result<Vec<Place>> {
    let (address, port) = address(destination)?;
    let keys = service.keys();
    let is_meant = |key: &ServiceKey| keys.as_ref().is_none_or(|keys| keys.contains(key));
    let is_it =
        |key: &DestinationKey| key.address == address && port.is_none_or(|port| key.port == port);
    let all = services.services.iter().flat_map(|service| {
        let of_it = service.destinations.iter();
        of_it.map(|it| (service.service.key, it.destination.key))
    });
    let found: Vec<_> = all.filter(|(key, it)| is_meant(key) && is_it(it)).collect();
    if found.is_empty() {
        let of = if keys.is_some() {
            "that service"
        } else {
            "any service"
        };
        bail!("{destination} is not a destination of {of}: `ipvsadm -Ln` lists those there are");
    }
    Ok(found)
}

fn address(text: &str) -> Result<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok((address, None));
    }
    let both: SocketAddr = text.parse().with_context(|| {
        format!(
            "`{text}' is no real server: write 10.0.0.5:80, [2001:db8::5]:80, or no port for all"
        )
    })?;
    Ok((both.ip(), Some(both.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port_or_stand_for_all() {
        let cases = [
            ("10.0.0.5", "10.0.0.5", None),
            ("10.0.0.5:80", "10.0.0.5", Some(80)),
            ("2001:db8::5", "2001:db8::5", None),
            ("[2001:db8::5]", "2001:db8::5", None),
            ("[2001:db8::5]:80", "2001:db8::5", Some(80)),
        ];
        for (text, host, port) in cases {
            assert_eq!(address(text).unwrap(), (host.parse().unwrap(), port));
        }
        for text in ["", "web1", "10.0.0.5:", "10.0.0.5:x", "10.0.0:80"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_services_are_meant_or_the_named_one() {
        let services: Services = serde_json::from_value(serde_json::json!({
            "table_size": 1,
            "services": [
                service("tcp", 80, &[("10.0.0.5", 80), ("10.0.0.6", 80)]),
                service("udp", 53, &[("10.0.0.5", 53)]),
                service("tcp", 81, &[("10.0.0.5", 80)]),
            ],
        }))
        .unwrap();
        let found = |text, arguments: &ServiceArguments| {
            let places = find(text, arguments, &services)?;
            Ok::<_, anyhow::Error>(
                places
                    .iter()
                    .map(|(key, _)| key.to_string())
                    .collect::<Vec<_>>(),
            )
        };
        let all = arguments(None);
        assert_eq!(
            found("10.0.0.5", &all).unwrap(),
            ["TCP 192.0.2.1:80", "UDP 192.0.2.1:53", "TCP 192.0.2.1:81"]
        );
        assert_eq!(
            found("10.0.0.5:80", &all).unwrap(),
            ["TCP 192.0.2.1:80", "TCP 192.0.2.1:81"]
        );
        let named = arguments(Some("192.0.2.1:81"));
        assert_eq!(found("10.0.0.5", &named).unwrap(), ["TCP 192.0.2.1:81"]);
        assert!(found("10.0.0.6", &named).is_err());
    }

    fn arguments(tcp: Option<&str>) -> ServiceArguments {
        ServiceArguments {
            tcp_service: tcp.map(|it| it.parse().unwrap()),
            udp_service: None,
            sctp_service: None,
            fwmark_service: None,
        }
    }

    fn service(protocol: &str, port: u16, real: &[(&str, u16)]) -> serde_json::Value {
        let nothing = serde_json::to_value(rlvs_control::listing::Statistics::default()).unwrap();
        let destination = |&(address, port): &(&str, u16)| {
            serde_json::json!({
                "address": address, "port": port, "method": "route", "weight": 1,
                "active_connections": 0, "inactive_connections": 0, "persistent_connections": 0,
                "statistics": nothing,
            })
        };
        serde_json::json!({
            "key": {"address": {"protocol": protocol, "address": "192.0.2.1", "port": port}},
            "scheduler": "wlc", "statistics": nothing,
            "destinations": real.iter().map(destination).collect::<Vec<_>>(),
        })
    }
}
