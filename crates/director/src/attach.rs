//! Which interfaces the program is put on, and how.

mod choice;

use std::collections::BTreeMap;

use rlvs_config::settings::Settings;
use rlvs_control::status::Attachment;
use rlvs_network::Link;
use rlvs_network::marks::DEVICE;
use rlvs_plane::{Mode, Plane, Refused, Role, redirects_pieces};

pub(crate) use choice::whole;
use choice::{Choice, choose};

/// What the director knows of how its program is on interfaces.
#[derive(Debug)]
pub(crate) struct Attachments {
    redirects_pieces: bool,
    settled: BTreeMap<u32, Settled>,
}

/// What came of an interface's choice.
#[derive(Debug)]
struct Settled {
    /// A link that is renamed or replaced is looked at anew.
    link: Link,
    /// None where there must be no program.
    choice: Option<Choice>,
    /// Why the program is on it so, or not at all.
    reason: String,
    /// What is in the way may go, of which no link tells.
    occupied: bool,
}

impl Attachments {
    pub(crate) fn new() -> Self {
        Self {
            redirects_pieces: redirects_pieces(),
            settled: BTreeMap::new(),
        }
    }

    /// Attaches where and how it should be and is not yet, and lets go what is gone.
    pub(crate) fn follow(&mut self, plane: &mut Plane, config: &Settings, links: &[Link]) {
        self.let_go(plane, config, links);
        for link in links.iter().filter(|link| is_ready(link)) {
            if belongs(config, link, links) {
                match choose(&config.interfaces, link, links, self.redirects_pieces) {
                    Ok(choice) => self.settle_once(plane, link, choice),
                    Err(reason) => self.refuse(plane, link, reason),
                }
            }
        }
    }

    /// Tries again where another program is in the way; whether it is gone somewhere.
    pub(crate) fn retry(&mut self, plane: &mut Plane) -> bool {
        let occupied = self.settled.values().filter(|settled| settled.occupied);
        let again: Vec<_> = occupied
            .filter_map(|settled| Some((settled.link.clone(), settled.choice.clone()?)))
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
        config: &Settings,
        link: &Link,
        links: &[Link],
    ) -> (Attachment, String) {
        let attachment = match plane.interfaces.mode(link.index) {
            Some(Mode::Native) => Attachment::Native,
            Some(Mode::Generic) => Attachment::Generic,
            Some(Mode::Tc) => Attachment::Tc,
            None => Attachment::Detached,
        };
        let settled = self.settled.get(&link.index);
        let reason = settled.map_or_else(
            || unsettled(config, link, links),
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

    fn let_go(&mut self, plane: &mut Plane, config: &Settings, links: &[Link]) {
        let stays = |index: u32| {
            let link = links.iter().find(|link| link.index == index);
            link.is_some_and(|link| belongs(config, link, links))
        };
        let gone: Vec<_> = plane
            .interfaces
            .indexes()
            .filter(|&index| !stays(index) && !is_handed_marks(plane, index, links))
            .collect();
        for index in gone {
            tracing::info!(index, "interface gone");
            detach(plane, index);
        }
        // One that is down keeps its program, if it has one.
        self.settled.retain(|&index, settled| {
            let is_on = plane.interfaces.mode(index).is_some();
            stays(index) && (is_on || links.contains(&settled.link))
        });
    }

    /// Does what is chosen, if that is not what came of the last choice.
    fn settle_once(&mut self, plane: &mut Plane, link: &Link, choice: Choice) {
        let settled = self.settled.get(&link.index);
        let is_same =
            settled.is_some_and(|it| it.link == *link && it.choice.as_ref() == Some(&choice));
        if !is_same {
            self.settle(plane, link, choice);
        }
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
            choice: Some(choice),
            reason,
            occupied,
        };
        self.settled.insert(link.index, settled);
    }

    /// Where packets would be spoilt there is no program.
    fn refuse(&mut self, plane: &mut Plane, link: &Link, reason: String) {
        let interface = &link.name;
        let settled = self.settled.get(&link.index);
        if settled.is_none_or(|settled| settled.reason != reason) {
            tracing::warn!(interface, reason, "not attached");
        }
        detach(plane, link.index);
        let settled = Settled {
            link: link.clone(),
            choice: None,
            reason,
            occupied: false,
        };
        self.settled.insert(link.index, settled);
    }
}

/// Whether an interface has but the program for firewall marks, of which others take care. A list of
/// links that is older than the interface says nothing of it.
fn is_handed_marks(plane: &Plane, index: u32, links: &[Link]) -> bool {
    let is_newer = links.iter().all(|link| link.index < index);
    let is_its = links
        .iter()
        .any(|it| it.index == index && it.name == DEVICE);
    plane.interfaces.is_attached(index, Role::Marked) && (is_its || is_newer)
}

fn detach(plane: &mut Plane, index: u32) {
    if let Err(error) = plane.interfaces.detach(index) {
        tracing::warn!(index, %error, "cannot detach");
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

fn is_ready(link: &Link) -> bool {
    link.up && (link.ethernet || link.loopback)
}

/// Whether the program is to be on an interface. What is a part of another, as a bridge's port
/// is, has it there, unless it is named.
fn belongs(config: &Settings, link: &Link, links: &[Link]) -> bool {
    if link.name == DEVICE {
        return false;
    }
    let interfaces = &config.interfaces;
    let is_part = || whole(link, links).is_some();
    interfaces.names(&link.name) || interfaces.wants(&link.name) && !is_part()
}

/// Why nobody has tried to attach to an interface.
fn unsettled(config: &Settings, link: &Link, links: &[Link]) -> String {
    let reason = match link {
        _ if !config.interfaces.wants(&link.name) => "not among the configured interfaces",
        link if !link.ethernet && !link.loopback => "not an Ethernet interface",
        link => match whole(link, links) {
            Some(whole) => return format!("part of {}", whole.name),
            None => "the interface is down",
        },
    };
    reason.to_owned()
}
