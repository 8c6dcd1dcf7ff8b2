//! Which programs are needed beside those that balance, and where.
//!
//! They cost something for packets that are not theirs, so they are there only while they are
//! needed.

use std::collections::BTreeSet;

use rlvs_control::ForwardingMethod;
use rlvs_network::Link;
use rlvs_plane::{Mode, Plane, Role, Store};

use crate::desired::Desired;
use crate::installed::{Hop, Installed};

/// What is needed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Needs {
    /// A masqueraded destination is this host: what its stack answers has to be looked at.
    pub(crate) leaving: bool,
    /// There are destinations by masquerading or full NAT, of which this host may be a client.
    pub(crate) answers: bool,
}

/// The programs, as far as the kernel took them.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// Where it did not, which is said once.
    refused: BTreeSet<(u32, Role)>,
}

impl Needs {
    /// Of what is desired, and of what is still there though it is desired no longer.
    pub(crate) fn of<S: Store>(desired: &Desired, installed: &Installed, store: &S) -> Self {
        let mut needs = Self {
            leaving: installed.masquerades_to_itself(store),
            answers: false,
        };
        let destinations = desired.services().flat_map(|it| it.destinations());
        for destination in destinations {
            if matches!(
                destination.method,
                ForwardingMethod::Masquerade | ForwardingMethod::FullNat
            ) {
                needs.answers = true;
                let hop = installed.hop(&destination.key.address);
                needs.leaving |= matches!(hop, Some(Hop::Local));
            }
            if needs.leaving && needs.answers {
                break;
            }
        }
        needs
    }
}

impl Roles {
    /// Attaches what is needed and takes off what is not.
    pub(crate) fn follow(&mut self, plane: &mut Plane, links: &[Link], needs: Needs) {
        let takes_answers =
            |link: &&Link| link.loopback && plane.interfaces.mode(link.index).is_some();
        let is_client = links.iter().any(|link| takes_answers(&link));
        for link in links.iter().filter(|link| !link.loopback) {
            let Some(mode) = plane.interfaces.mode(link.index) else {
                continue;
            };
            let answers = needs.answers && is_client && mode != Mode::Tc;
            self.set(plane, link, Role::Answers, answers);
            self.set(plane, link, Role::Leaving, needs.leaving);
        }
    }

    fn set(&mut self, plane: &mut Plane, link: &Link, role: Role, wanted: bool) {
        let place = (link.index, role);
        match plane.set_role(link.index, &link.name, role, wanted) {
            Ok(()) => {
                self.refused.remove(&place);
            }
            Err(refused) if self.refused.insert(place) => {
                tracing::warn!(interface = link.name, ?role, %refused, "cannot attach");
            }
            Err(_) => {}
        }
    }
}
