//! A service's destinations, laid out for schedulers.
//!
//! Members lie in a region of the node table as a complete binary tree over the list: leaf `i`
//! holds the `i`th destination and its weight, an inner node the largest weight below it. So
//! "the next one from here whose weight is at least w", which is all that round robin needs,
//! takes a logarithm of steps where IPVS walks the list: a thousand destinations cost ten.
//!
//! ```text
//! node 0: what wrr needs to know of all weights: their gcd, and maximum - gcd + 1
//! node 1: root          node 2, 3: its children      ...      node P + i: leaf i
//! ```
//!
//! A region is written whole before a service points to it, and not touched while a packet may
//! still read it; so a change of members is one store of one word.

use core::ops::ControlFlow;

use super::Scheduler;
use crate::tables::Tables;

/// Where a service's members are, and who chooses among them: base (32 bits), how many (23), the
/// tree's depth (5) and the [`Scheduler`] (4). One word, so that a packet finds a scheduler with
/// what was laid out for it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Members(pub u64);

/// At most this many nodes in the region for each member: leaves are padded to a power of two.
pub const NODES_PER_MEMBER: u32 = 4;

/// Each level of the tree is gone up once and down once, at one step or two.
const MOST_STEPS: u32 = 3 * 25;

impl Members {
    /// No region is so long as to need more.
    const COUNT: u32 = (1 << 23) - 1;

    pub const fn new(base: u32, count: u32, depth: u32, scheduler: Scheduler) -> Self {
        let high = count & Self::COUNT | (depth & 31) << 23 | (scheduler as u32) << 28;
        Self(base as u64 | (high as u64) << 32)
    }

    #[inline(always)]
    pub const fn base(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn count(self) -> u32 {
        (self.0 >> 32) as u32 & Self::COUNT
    }

    #[inline(always)]
    pub const fn scheduler(self) -> Scheduler {
        Scheduler::from_bits((self.0 >> 60) as u8)
    }

    /// Number of leaves, a power of two.
    #[inline(always)]
    pub const fn leaves(self) -> u32 {
        1 << ((self.0 >> 55) as u32 & 31)
    }

    /// Length of the tree.
    #[inline(always)]
    pub const fn nodes(self) -> u32 {
        2 * self.leaves()
    }

    /// Member `index`: its weight and destination.
    #[inline(always)]
    pub fn member<T: Tables>(self, tables: &T, index: u32) -> Option<(u32, u32)> {
        self.node(tables, self.leaves().wrapping_add(index))
    }

    /// The first member from `start` on with at least this weight, which is not 0.
    #[inline(always)]
    pub fn next<T: Tables>(self, tables: &T, start: u32, weight: u32) -> Option<Member> {
        if start >= self.count() {
            return None;
        }
        let member = Member(tables.next(self, start, weight));
        (member != Member::NONE).then_some(member)
    }

    /// gcd of the weights, and their maximum - gcd + 1.
    #[inline(always)]
    pub fn weights<T: Tables>(self, tables: &T) -> Option<(u32, u32)> {
        self.node(tables, 0)
    }

    /// The largest weight.
    #[inline(always)]
    pub fn heaviest<T: Tables>(self, tables: &T) -> Option<u32> {
        self.node(tables, 1).map(|(most, _)| most)
    }

    #[inline(always)]
    pub(super) fn node<T: Tables>(self, tables: &T, node: u32) -> Option<(u32, u32)> {
        let word = tables.node(self.base().wrapping_add(node))?.load();
        Some((word as u32, (word >> 32) as u32))
    }
}

/// A member's index (32 bits) and destination (32 bits) in one register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member(pub u64);

impl Member {
    /// No member.
    pub const NONE: Self = Self(u64::MAX);

    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn destination(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// [`Members::next`] for a start within the list: behind the seam [`Tables::next`].
#[inline(always)]
pub fn next<T: Tables>(tables: &T, members: Members, start: u32, weight: u32) -> Member {
    let leaves = members.leaves();
    let mut found = Member::NONE;
    let mut node = leaves.wrapping_add(start);
    tables.repeat(MOST_STEPS, |_| {
        let Some((most, destination)) = members.node(tables, node) else {
            return ControlFlow::Break(());
        };
        if most < weight {
            node = after(node);
        } else if node < leaves {
            node <<= 1;
        } else {
            found = Member(word(node.wrapping_sub(leaves), destination));
        }
        match node > 1 && found == Member::NONE {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    found
}

/// The largest subtree that begins right of `node`'s; 1, the root, behind the last.
#[inline(always)]
fn after(node: u32) -> u32 {
    let mut subtree = node.wrapping_add(1);
    let mut shift = 16;
    while shift > 0 {
        if subtree & ((1 << shift) - 1) == 0 {
            subtree >>= shift;
        }
        shift >>= 1;
    }
    subtree
}

/// Writes the tree of `members` (weight, destination) with `store(node, word)`; the region's
/// base, at which there must be room for [`Members::nodes`], is the caller's choice.
pub fn layout(
    base: u32,
    members: &[(u32, u32)],
    scheduler: Scheduler,
    mut store: impl FnMut(u32, u64),
) -> Members {
    let count = members.len() as u32;
    let depth = count.next_power_of_two().trailing_zeros();
    let region = Members::new(base, count, depth, scheduler);
    let leaves = region.leaves();
    let at = |index: u32| members.get(index as usize).copied().unwrap_or((0, 0));
    let gcd = members
        .iter()
        .fold(0, |gcd, &(weight, _)| greatest_common_divisor(gcd, weight));
    let gcd = gcd.max(1);
    let most = members.iter().map(|&(weight, _)| weight).max().unwrap_or(0);
    let reach = if most == 0 { 0 } else { most - (gcd - 1) };
    store(base, word(gcd, reach));
    for index in 0..leaves {
        let (weight, destination) = at(index);
        store(base + leaves + index, word(weight, destination));
    }
    for level in (0..depth).rev() {
        let span = leaves >> level;
        for place in 0..1 << level {
            let most = (place * span..(place + 1) * span)
                .map(|i| at(i).0)
                .max()
                .unwrap_or(0);
            store(base + (1 << level) + place, word(most, 0));
        }
    }
    region
}

#[inline(always)]
pub(super) fn word(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

pub(super) fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::memory::Memory;

    fn walk(weights: &[u32], start: u32, weight: u32) -> Option<u32> {
        let memory = Memory::default();
        let members: Vec<_> = weights.iter().map(|&w| (w, 7)).collect();
        let members = layout(16, &members, Scheduler::Rr, |node, word| {
            memory.nodes[node as usize].store(word)
        });
        members.next(&memory, start, weight).map(Member::index)
    }

    #[test]
    fn next_is_what_a_walk_finds() {
        let weights = [3, 0, 1, 7, 7, 0, 2, 0, 9, 0, 1];
        for count in 0..=weights.len() {
            for start in 0..=count as u32 + 1 {
                for weight in 1..=10 {
                    let plain = (start as usize..count).find(|&i| weights[i] >= weight);
                    let found = walk(&weights[..count], start, weight);
                    assert_eq!(found, plain.map(|i| i as u32), "{count} {start} {weight}");
                }
            }
        }
    }

    #[test]
    fn weights_are_summed_up_for_wrr() {
        for (weights, expected) in [
            (&[4, 6, 0][..], (2, 5)),
            (&[3, 3], (3, 1)),
            (&[0], (1, 0)),
            (&[], (1, 0)),
        ] {
            let memory = Memory::default();
            let members: Vec<_> = weights.iter().map(|&w| (w, 0)).collect();
            let members = layout(0, &members, Scheduler::Wrr, |n, word| {
                memory.nodes[n as usize].store(word);
            });
            assert_eq!(members.weights(&memory), Some(expected), "{weights:?}");
        }
    }
}
