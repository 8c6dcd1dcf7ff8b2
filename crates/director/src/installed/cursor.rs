//! Where a scheduler stands among a service's destinations, over changes of them.
//!
//! As in IPVS: rr keeps its place (ip_vs_rr.c, `ip_vs_rr_del_dest`), wrr begins a new pass and
//! aligns its current weight at every change (ip_vs_wrr.c, `ip_vs_wrr_dest_changed`), and a
//! scheduler that takes over begins at the beginning.

use rlvs_engine::schedule::{Scheduler, WrrStep};
use rlvs_engine::service::Service;
use rlvs_plane::Store;

/// A service's cursor while its members change.
#[derive(Debug)]
pub(super) struct Cursor {
    scheduler: Scheduler,
    /// Destinations before the change, in order.
    members: Vec<u32>,
    word: u64,
}

impl Cursor {
    pub(super) fn read<S: Store>(store: &S, record: &Service) -> Self {
        let members = record.members();
        let of_member = |index| {
            members
                .member(store, index)
                .map(|(_, destination)| destination)
        };
        Self {
            scheduler: record.scheduler(),
            members: (0..members.count()).filter_map(of_member).collect(),
            word: record.cursor.load(),
        }
    }

    pub(super) fn word(&self) -> u64 {
        self.word
    }

    /// The destinations are these now (weight, number), reached by `steps`.
    pub(super) fn moved(
        &mut self,
        scheduler: Scheduler,
        members: &[(u32, u32)],
        steps: &[(u32, u32)],
    ) {
        if scheduler != self.scheduler {
            self.word = 0;
        }
        match scheduler {
            Scheduler::Rr => self.word = self.kept(members),
            Scheduler::Wrr => self.realign(scheduler, members, steps),
            // They have no place among them.
            _ => {}
        }
    }

    /// Behind the same destination, or behind the nearest one before it that is still there.
    fn kept(&self, members: &[(u32, u32)]) -> u64 {
        let behind = (self.word as u32 as usize).min(self.members.len());
        let place = self.members[..behind]
            .iter()
            .rev()
            .find_map(|number| members.iter().position(|(_, other)| other == number));
        place.map_or(0, |index| index as u64 + 1)
    }

    fn realign(&mut self, scheduler: Scheduler, members: &[(u32, u32)], steps: &[(u32, u32)]) {
        let mut step = WrrStep::from_bits(self.word);
        for &(gcd, reach) in steps {
            step.destinations_changed(gcd, reach);
        }
        if scheduler != self.scheduler {
            step = WrrStep::default();
        }
        if step.weight == 0 {
            let (gcd, reach) = gcd_and_reach(members.iter().map(|&(weight, _)| weight));
            step.destinations_changed(gcd, reach);
        }
        self.word = step.to_bits();
    }
}

/// The gcd of weights, and their maximum - gcd + 1, as wrr counts with them.
pub(crate) fn gcd_and_reach(weights: impl Iterator<Item = u32> + Clone) -> (u32, u32) {
    let gcd = weights.clone().fold(0, gcd).max(1);
    let most = weights.max().unwrap_or(0);
    (gcd, if most == 0 { 0 } else { most - (gcd - 1) })
}

fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
