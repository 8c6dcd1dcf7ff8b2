//! The way of packets with firewall marks of services: device, rules and program are there while
//! there are such services.

use std::fs;
use std::path::PathBuf;

use rlvs_control::ServiceKey;
use rlvs_control::model::Family;
use rlvs_control::status::{MarkPath, MarkRule};
use rlvs_network::Link;
use rlvs_network::marks::{self, DEVICE, Marks};
use rlvs_plane::{Plane, Role};

use crate::desired::Desired;
use crate::parameter::EARLY_DEMUX;

/// Packets of any interface must have room there.
const LEAST_MTU: u32 = 1500;

/// What is known of it.
#[derive(Debug)]
pub(crate) struct MarkedWay {
    state: PathBuf,
    marks: Marks,
    /// Something of it may be there, perhaps of an earlier daemon.
    is_there: bool,
    problem: Option<String>,
}

impl MarkedWay {
    /// `state` is the director's directory.
    pub(crate) fn new(state: PathBuf) -> Self {
        Self {
            state,
            marks: Marks::default(),
            is_there: true,
            problem: None,
        }
    }

    /// Makes what it takes to have marks at all; why that cannot be.
    pub(crate) fn prepare(&mut self, plane: &mut Plane, links: &[Link]) -> Result<(), String> {
        self.is_there = true;
        device(plane, links).map(drop)
    }

    /// Makes it what the services want, whatever it is.
    pub(crate) fn follow(&mut self, plane: &mut Plane, links: &[Link], desired: &Desired) {
        self.marks = marks_of(desired);
        let is_wanted = self.marks.iter().any(|marks| !marks.is_empty());
        let outcome = match (is_wanted, self.is_there) {
            (true, _) => self.lead(plane, links),
            (false, true) => self.remove(plane, links),
            (false, false) => Ok(()),
        };
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
        if self.marks.iter().all(|marks| marks.is_empty()) {
            return None;
        }
        let rules = marks::rules().unwrap_or_default();
        let of_family = |(family, rules): (Family, Vec<String>)| {
            rules.into_iter().map(move |rule| MarkRule { family, rule })
        };
        let rules = [Family::Ipv4, Family::Ipv6].into_iter().zip(rules);
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
        marks::lead(index, &self.marks).map_err(|error| error.to_string())
    }

    /// No packet goes there when the program goes.
    fn remove(&mut self, plane: &mut Plane, links: &[Link]) -> Result<(), String> {
        let text = |error: marks::Error| error.to_string();
        marks::lead(0, &Marks::default()).map_err(text)?;
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
        let families = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
        let mut wanted = families.iter().zip(&self.marks);
        let (path, _) = wanted.find(|(path, marks)| {
            let value = fs::read_to_string(format!("/proc/sys/{path}"));
            !marks.is_empty() && value.is_ok_and(|value| value.trim() == "0")
        })?;
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

fn marks_of(desired: &Desired) -> Marks {
    let mut marks = Marks::default();
    for service in desired.services() {
        if let ServiceKey::Mark { family, mark } = service.service().key {
            let of_family = match family {
                Family::Ipv4 => &mut marks[0],
                Family::Ipv6 => &mut marks[1],
            };
            of_family.insert(mark);
        }
    }
    marks
}
