//! Packets of virtual services, as a firewall knows them.

use rlvs_control::{Protocol, ServiceKey};
use rlvs_speaker::Served;

use crate::desired::Desired;

pub(super) fn served(desired: &Desired) -> Vec<Served> {
    let mut served: Vec<_> = desired.services().map(|it| of(it.service().key)).collect();
    served.sort();
    served.dedup();
    served
}

fn of(key: ServiceKey) -> Served {
    match key {
        ServiceKey::Address {
            protocol,
            address,
            port,
        } => {
            let protocol = match protocol {
                Protocol::Tcp => 6,
                Protocol::Udp => 17,
                Protocol::Sctp => 132,
            };
            Served::Address(address, protocol, port)
        }
        ServiceKey::Mark { mark, .. } => Served::Mark(mark),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::model::Family;

    use super::*;

    #[test]
    fn services_are_told_by_their_numbers() {
        let address = "192.0.2.1".parse().unwrap();
        let key = |protocol| ServiceKey::Address {
            protocol,
            address,
            port: 80,
        };
        assert_eq!(of(key(Protocol::Tcp)), Served::Address(address, 6, 80));
        assert_eq!(of(key(Protocol::Udp)), Served::Address(address, 17, 80));
        assert_eq!(of(key(Protocol::Sctp)), Served::Address(address, 132, 80));
        let mark = ServiceKey::Mark {
            family: Family::Ipv4,
            mark: 7,
        };
        assert_eq!(of(mark), Served::Mark(7));
    }
}
