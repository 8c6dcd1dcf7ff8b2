//! Which interfaces the program is put on, and how.

mod choice;

use std::collections::BTreeMap;

use rlvs_control::status::Attachment;
use rlvs_network::Link;
use rlvs_plane::{Mode, Plane, Refused};

use crate::config::Config;
use choice::{Choice, choose};

/// What the director knows of how its program is on interfaces.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    settled: BTreeMap<u32, Settled>,
}

/// What came of an interface's choice.
#[derive(Debug)]
struct Settled {
    /// A link that is renamed or replaced is looked at anew.
    link: Link,
    choice: Choice,
    /// Why the program is on it so, or not at all.
    reason: String,
    /// What is in the way may go, of which no link tells.
    occupied: bool,
}

impl Attachments {
    /// Attaches where and how it should be and is not yet, and lets go what is gone.
    pub(crate) fn follow(&mut self, plane: &mut Plane, config: &Config, links: &[Link]) {
        self.let_go(plane, config, links);
        for link in links.iter().filter(|link| is_wanted(config, link)) {
            let choice = choose(&config.interfaces, link);
            let settled = self.settled.get(&link.index);
            if settled.is_none_or(|it| it.link != *link || it.choice != choice) {
                self.settle(plane, link, choice);
            }
        }
    }

    /// Tries again where another program is in the way; whether it is gone somewhere.
    pub(crate) fn retry(&mut self, plane: &mut Plane) -> bool {
        let occupied = self.settled.values().filter(|settled| settled.occupied);
        let again: Vec<_> = occupied
            .map(|settled| (settled.link.clone(), settled.choice.clone()))
            .collect();
        let mut gone = false;
        for (link, choice) in again {
            if plane.attach(link.index, &link.name, choice.mode).is_ok() {
                self.settle(plane, &link, choice);
                gone = true;
            }
        }
        gone
    }

    /// How the program is on an interface, and why.
    pub(crate) fn state(
        &self,
        plane: &Plane,
        config: &Config,
        link: &Link,
    ) -> (Attachment, String) {
        let attachment = match plane.interfaces.mode(link.index) {
            Some(Mode::Native) => Attachment::Native,
            Some(Mode::Generic) => Attachment::Generic,
            Some(Mode::Tc) => Attachment::Tc,
            None => Attachment::Detached,
        };
        let settled = self.settled.get(&link.index);
        let reason = settled.map_or_else(
            || unsettled(config, link).to_owned(),
            |settled| settled.reason.clone(),
        );
        (attachment, reason)
    }

    /// Whether frames that leave by an interface must be redirected even from itself.
    pub(crate) fn needs_redirect(&self, plane: &Plane, links: &[Link], index: u32) -> bool {
        let is_veth = |link: &&Link| link.index == index && link.kind.as_deref() == Some("veth");
        plane.interfaces.mode(index) == Some(Mode::Native)
            && links.iter().any(|link| is_veth(&link))
    }

    fn let_go(&mut self, plane: &mut Plane, config: &Config, links: &[Link]) {
        let stays = |index: u32| {
            let link = links.iter().find(|link| link.index == index);
            link.is_some_and(|link| config.interfaces.wants(&link.name))
        };
        let gone: Vec<_> = plane
            .interfaces
            .indexes()
            .filter(|&index| !stays(index))
            .collect();
        for index in gone {
            tracing::info!(index, "interface gone");
            if let Err(error) = plane.interfaces.detach(index) {
                tracing::warn!(index, %error, "cannot detach");
            }
        }
        // One that is down keeps its program, if it has one.
        self.settled.retain(|index, settled| {
            let is_on = plane.interfaces.mode(*index).is_some();
            links.contains(&settled.link) || is_on && stays(*index)
        });
    }

    fn settle(&mut self, plane: &mut Plane, link: &Link, choice: Choice) {
        let before = plane.interfaces.mode(link.index);
        let (reason, occupied) = match plane.attach(link.index, &link.name, choice.mode) {
            Ok(()) => (choice.reason.clone(), false),
            Err(refused) => instead(plane, link, &choice, &refused),
        };
        let mode = plane.interfaces.mode(link.index);
        let interface = &link.name;
        match mode {
            Some(_) => plane.interfaces.set_address(link.index, link.address),
            None => tracing::warn!(interface, reason, "cannot attach"),
        }
        if let Some(mode) = mode.filter(|_| mode != before) {
            tracing::info!(interface, mode = mode.name(), reason, "attached");
        }
        let settled = Settled {
            link: link.clone(),
            choice,
            reason,
            occupied,
        };
        self.settled.insert(link.index, settled);
    }
}

/// What is done where the kernel refuses: the reason for what is there then, and whether another
/// program was in the way.
fn instead(plane: &mut Plane, link: &Link, choice: &Choice, refused: &Refused) -> (String, bool) {
    let occupied = matches!(refused, Refused::Occupied { .. });
    let tc = choice.or_tc && !matches!(refused, Refused::IndexTaken { .. });
    if tc && plane.attach(link.index, &link.name, Mode::Tc).is_ok() {
        let reason = match refused {
            Refused::NotSupported => "the driver has no XDP".to_owned(),
            refused => format!("no XDP: {refused}"),
        };
        return (reason, occupied);
    }
    let reason = match plane.interfaces.mode(link.index) {
        Some(_) => format!("left as it was, {} failed: {refused}", choice.mode.name()),
        None => refused.to_string(),
    };
    (reason, occupied)
}

fn is_wanted(config: &Config, link: &Link) -> bool {
    config.interfaces.wants(&link.name) && link.up && link.ethernet && !link.loopback
}

/// Why nobody has tried to attach to an interface.
fn unsettled(config: &Config, link: &Link) -> &'static str {
    match link {
        link if link.loopback => "the loopback interface",
        _ if !config.interfaces.wants(&link.name) => "not among the configured interfaces",
        link if !link.ethernet => "not an Ethernet interface",
        _ => "the interface is down",
    }
}
