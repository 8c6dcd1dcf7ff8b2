//! The way of packets with firewall marks of services: device, rules and program are there while
//! there are such services.

mod packets;

use std::path::PathBuf;

use rlvs_control::model::Family;
use rlvs_control::status::{MarkPath, MarkRule};
use rlvs_engine::Tables;
use rlvs_network::Link;
use rlvs_network::marks::{self, DEVICE, Led, Packets};
use rlvs_plane::{Plane, Role};

use crate::desired::Desired;
use crate::parameter::EARLY_DEMUX;

/// Packets of any interface must have room there.
const LEAST_MTU: u32 = 1500;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// What is known of it.
#[derive(Debug)]
pub(crate) struct MarkedWay {
    state: PathBuf,
    led: Led,
    /// Something of it may be there, perhaps of an earlier daemon.
    is_there: bool,
    problem: Option<String>,
}

impl MarkedWay {
    /// `state` is the director's directory.
    pub(crate) fn new(state: PathBuf) -> Self {
        Self {
            state,
            led: Led::default(),
            is_there: true,
            problem: None,
        }
    }

    /// Makes what it takes to have marks at all; why that cannot be.
    pub(crate) fn prepare(&mut self, plane: &mut Plane, links: &[Link]) -> Result<(), String> {
        self.is_there = true;
        device(plane, links).map(drop)
    }

    /// Leads what is yet to be installed there, too: its first packets are not to come in before.
    pub(crate) fn precede(&mut self, plane: &mut Plane, links: &[Link], desired: &Desired) {
        let wanted = packets::led(desired);
        if packets::has_marks(&self.led) && packets::has_marks(&wanted) {
            let led = packets::both(&self.led, &wanted);
            self.go(plane, links, led);
        }
    }

    /// Makes it what the services want, whatever it is.
    pub(crate) fn follow(&mut self, plane: &mut Plane, links: &[Link], desired: &Desired) {
        self.go(plane, links, packets::led(desired));
    }

    fn go(&mut self, plane: &mut Plane, links: &[Link], led: Led) {
        self.led = led;
        tell(plane, |packets| packets.ports.is_empty(), 0, &self.led);
        let outcome = match (packets::has_marks(&self.led), self.is_there) {
            (true, _) => self.lead(plane, links),
            (false, true) => self.remove(plane, links),
            (false, false) => Ok(()),
        };
        match outcome {
            Ok(()) => tell(plane, |packets| !packets.ports.is_empty(), 1, &self.led),
            Err(_) => tell(plane, |_| true, 0, &self.led),
        }
        let problem = outcome.err();
        if problem != self.problem
            && let Some(problem) = &problem
        {
            tracing::warn!(problem, "packets with firewall marks");
        }
        self.problem = problem;
    }

    /// None where no service has a mark.
    pub(crate) fn status(&self) -> Option<MarkPath> {
        if !packets::has_marks(&self.led) {
            return None;
        }
        let rules = marks::rules().unwrap_or_default();
        let of_family = |(family, rules): (Family, Vec<String>)| {
            rules.into_iter().map(move |rule| MarkRule { family, rule })
        };
        let rules = FAMILIES.into_iter().zip(rules);
        Some(MarkPath {
            device: DEVICE.to_owned(),
            rules: rules.flat_map(of_family).collect(),
            problem: self.problem.clone().or_else(|| self.not_forwarded()),
        })
    }

    fn lead(&mut self, plane: &mut Plane, links: &[Link]) -> Result<(), String> {
        self.is_there = true;
        let index = device(plane, links)?;
        let set = EARLY_DEMUX.set(&self.state);
        set.map_err(|error| format!("net.ipv4.ip_early_demux: {error}"))?;
        marks::lead(index, &self.led).map_err(|error| error.to_string())
    }

    /// No packet goes there when the program goes.
    fn remove(&mut self, plane: &mut Plane, links: &[Link]) -> Result<(), String> {
        let text = |error: marks::Error| error.to_string();
        marks::lead(0, &Led::default()).map_err(text)?;
        let device = links.iter().find(|link| link.name == DEVICE);
        if let Some(link) = device {
            let taken = plane.set_role(link.index, DEVICE, Role::Marked, false);
            taken.map_err(|refused| refused.to_string())?;
        }
        let was_there = marks::remove().map_err(text)?;
        if was_there {
            tracing::info!("no service has a firewall mark: {DEVICE} and its rules are removed");
        }
        let restored = EARLY_DEMUX.restore(&self.state);
        restored.map_err(|error| format!("net.ipv4.ip_early_demux: {error}"))?;
        self.is_there = false;
        Ok(())
    }

    /// The kernel hands packets to the device as a router does.
    fn not_forwarded(&self) -> Option<String> {
        let of_family = |(family, packets): &(Family, &Packets)| {
            !packets.marks.is_empty() && !packets::is_forwarding(*family)
        };
        let mut families = FAMILIES.into_iter().zip(&self.led);
        let (family, _) = families.find(of_family)?;
        let path = packets::forwarding(family);
        let name = path.replace('/', ".");
        Some(format!(
            "the kernel does not forward, so marked packets do not get there: sysctl -w {name}=1"
        ))
    }
}

/// The device with its program; its index.
fn device(plane: &mut Plane, links: &[Link]) -> Result<u32, String> {
    let others = links
        .iter()
        .filter(|link| !link.loopback && link.name != DEVICE);
    let mtu = others.map(|link| link.mtu).max().unwrap_or(LEAST_MTU);
    let index = marks::make_device(mtu.max(LEAST_MTU)).map_err(|error| error.to_string())?;
    plane
        .set_role(index, DEVICE, Role::Marked, true)
        .map_err(|refused| format!("{DEVICE}: {refused}"))?;
    Ok(index)
}

/// Tells the packet path whether first packets to addresses of services are led, where `is_of` says so.
fn tell(plane: &Plane, is_of: impl Fn(&Packets) -> bool, value: u32, led: &Led) {
    let Some(settings) = plane.tables.settings() else {
        return;
    };
    for (word, packets) in settings.led.iter().zip(led) {
        if is_of(packets) {
            word.store(value);
        }
    }
}
