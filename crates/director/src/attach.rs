//! Which interfaces the program is put on, and how.
//!
//! Real network cards run it in the driver. Virtual devices take it in the general receive path:
//! there packets that were made on this machine come with checksums still to be filled in and
//! larger than any frame, and only that path carries both through unharmed.

use std::collections::BTreeMap;

use rlvs_network::Link;
use rlvs_plane::{Mode, Plane, Refused};

use crate::config;
use crate::config::Config;

/// What the director knows of interfaces it is not on.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    refused: BTreeMap<u32, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    /// A link that is renamed or replaced is tried again.
    link: Link,
    reason: String,
    /// What is in the way may go, of which no link tells.
    occupied: bool,
}

impl Attachments {
    /// Attaches where it should be and is not yet, and lets go what is gone.
    pub(crate) fn follow(&mut self, plane: &mut Plane, config: &Config, links: &[Link]) {
        self.let_go(plane, config, links);
        for link in links {
            if is_wanted(config, link) {
                self.attach(plane, config, link);
            }
        }
    }

    /// Tries again where another program is in the way; whether it is gone somewhere.
    pub(crate) fn retry(&mut self, plane: &mut Plane, config: &Config) -> bool {
        let occupied = self.refused.values().filter(|refusal| refusal.occupied);
        let links: Vec<_> = occupied.map(|refusal| refusal.link.clone()).collect();
        let mut gone = false;
        for link in links {
            if let Ok(mode) = try_modes(plane, config, &link) {
                self.refused.remove(&link.index);
                attached(plane, &link, mode);
                gone = true;
            }
        }
        gone
    }

    /// Why the program is not on an interface.
    pub(crate) fn reason(&self, config: &Config, link: &Link) -> String {
        if let Some(refusal) = self.refused.get(&link.index) {
            return refusal.reason.clone();
        }
        let reason = match link {
            link if link.loopback => "the loopback interface",
            _ if !config.interfaces.wants(&link.name) => "not among the configured interfaces",
            link if !link.ethernet => "not an Ethernet interface",
            _ => "the interface is down",
        };
        reason.to_owned()
    }

    /// Whether frames that leave by an interface must be redirected even from itself.
    pub(crate) fn needs_redirect(&self, plane: &Plane, links: &[Link], index: u32) -> bool {
        let is_veth = |link: &&Link| link.index == index && link.kind.as_deref() == Some("veth");
        let native = plane
            .interfaces
            .attached(index)
            .is_some_and(|attached| attached.mode == Mode::Native);
        native && links.iter().any(|link| is_veth(&link))
    }

    fn let_go(&mut self, plane: &mut Plane, config: &Config, links: &[Link]) {
        let stays = |index: &u32| {
            let link = links.iter().find(|link| link.index == *index);
            link.is_some_and(|link| config.interfaces.wants(&link.name))
        };
        let gone: Vec<_> = plane
            .interfaces
            .indexes()
            .filter(|index| !stays(index))
            .collect();
        for index in gone {
            tracing::info!(index, "interface gone");
            if let Err(error) = plane.interfaces.detach(index) {
                tracing::warn!(index, %error, "cannot detach");
            }
        }
        self.refused
            .retain(|_, refusal| links.contains(&refusal.link));
    }

    fn attach(&mut self, plane: &mut Plane, config: &Config, link: &Link) {
        if plane.interfaces.attached(link.index).is_none()
            && !self.refused.contains_key(&link.index)
        {
            match try_modes(plane, config, link) {
                Ok(mode) => attached(plane, link, mode),
                Err(refused) => self.refuse(link, &refused),
            }
        } else if plane.interfaces.attached(link.index).is_some() {
            plane.interfaces.set_address(link.index, link.address);
        }
    }

    fn refuse(&mut self, link: &Link, refused: &Refused) {
        let reason = refused.to_string();
        tracing::warn!(interface = link.name, reason, "cannot attach");
        let refusal = Refusal {
            link: link.clone(),
            reason,
            occupied: matches!(refused, Refused::Occupied { .. }),
        };
        self.refused.insert(link.index, refusal);
    }
}

fn attached(plane: &mut Plane, link: &Link, mode: Mode) {
    tracing::info!(interface = link.name, mode = mode.name(), "attached");
    plane.interfaces.set_address(link.index, link.address);
}

fn is_wanted(config: &Config, link: &Link) -> bool {
    config.interfaces.wants(&link.name) && link.up && link.ethernet && !link.loopback
}

/// The first mode that the kernel takes.
fn try_modes(plane: &mut Plane, config: &Config, link: &Link) -> Result<Mode, Refused> {
    let modes: &[Mode] = match config.interfaces.mode_of(&link.name) {
        config::Mode::Native => &[Mode::Native],
        config::Mode::Generic => &[Mode::Generic],
        config::Mode::Auto if link.kind.is_some() => &[Mode::Generic],
        config::Mode::Auto => &[Mode::Native, Mode::Generic],
    };
    let mut outcome = Err(Refused::Kernel("no mode to try".to_owned()));
    for &mode in modes {
        let (interfaces, program) = plane
            .attaching()
            .map_err(|error| Refused::Kernel(error.to_string()))?;
        outcome = interfaces
            .attach(program, link.index, &link.name, mode)
            .map(|()| mode);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
