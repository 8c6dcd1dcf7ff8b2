//! Maglev hashing: by the client's address, with `mh-port` also by its port (ip_vs_mh.c; Eisenbud
//! and others, "Maglev", NSDI 2016). Few connections change their destination when one comes or
//! goes.
//!
//! Each member puts the rows in an order of its own, which its address and port decide; in turn
//! each takes the first of its order that is still free, as often a turn as its weight says. One
//! that takes no connections keeps its rows and refuses, or with `mh-fallback` leaves them to
//! others.

use super::rows::{Hashed, NOBODY};
use super::sip::{self, Key};

/// IPVS's table size with its default, CONFIG_IP_VS_MH_TAB_INDEX=12: a prime.
pub const ROWS: usize = 4093;
/// IPVS's half of CONFIG_IP_VS_MH_TAB_INDEX: so many bits of turns a round.
const TURN_BITS: u32 = 6;

const FIRST: Key = Key(2_654_435_761, 2_654_435_761);
const SECOND: Key = Key(2_654_446_892, 2_654_446_892);

pub(super) struct Mh;

impl Hashed for Mh {
    #[inline(always)]
    fn row(key: u32, offset: u32, rows: u32) -> Option<u32> {
        sip::hash(offset.wrapping_add(key), FIRST).checked_rem(rows)
    }
}

/// A member that takes rows.
#[derive(Clone, Copy, Debug)]
pub struct Taker {
    /// Its [`word`](crate::Family::word) and port, added.
    pub key: u32,
    /// Its weight, or the last one that was not 0: one that pauses keeps its rows.
    pub weight: u32,
    /// The row to take next.
    next: u32,
}

impl Taker {
    pub const fn new(word: u32, port: u16, weight: u32) -> Self {
        Self {
            key: word.wrapping_add(port as u32),
            weight,
            next: 0,
        }
    }
}

/// Gives each row, of a prime number of rows, one of the members; none if all have weight 0.
pub fn fill(rows: &mut [u16], takers: &mut [Taker]) {
    rows.fill(NOBODY);
    let size = rows.len() as u32;
    let (gcd, shift) = unit(takers);
    if gcd == 0 || size < 2 {
        return;
    }
    for taker in takers.iter_mut() {
        taker.next = sip::hash(taker.key, FIRST) % size;
    }
    let mut left = size;
    loop {
        for (index, taker) in takers.iter_mut().enumerate() {
            for _ in 0..turns(taker.weight, gcd, shift) {
                take(rows, taker, index as u16);
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

/// The first row that is free, in the taker's order.
fn take(rows: &mut [u16], taker: &mut Taker, index: u16) {
    let size = rows.len() as u32;
    let skip = sip::hash(taker.key, SECOND) % (size - 1) + 1;
    while rows[taker.next as usize] != NOBODY {
        taker.next = (taker.next + skip) % size;
    }
    rows[taker.next as usize] = index;
    taker.next = (taker.next + skip) % size;
}

/// What the weights are counted in: their gcd (0: all are 0), and how many bits too many the
/// largest then has.
fn unit(takers: &[Taker]) -> (u32, u32) {
    let weights = takers.iter().map(|taker| taker.weight);
    let gcd = weights
        .clone()
        .fold(0, super::members::greatest_common_divisor);
    let most = weights.max().unwrap_or(0).checked_div(gcd).unwrap_or(0);
    let bits = u32::BITS - most.leading_zeros();
    (gcd, bits.saturating_sub(TURN_BITS))
}

fn turns(weight: u32, gcd: u32, shift: u32) -> u32 {
    match weight {
        0 => 0,
        _ => ((weight / gcd) >> shift).max(1),
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn filled(size: usize, weights: &[u32]) -> Vec<u16> {
        let taker =
            |(index, &weight): (usize, &u32)| Taker::new(0x0a00_0001 + index as u32, 80, weight);
        let mut takers: Vec<_> = weights.iter().enumerate().map(taker).collect();
        let mut rows = vec![0; size];
        fill(&mut rows, &mut takers);
        rows
    }

    fn share(rows: &[u16], index: u16) -> usize {
        rows.iter().filter(|&&row| row == index).count()
    }

    #[test]
    fn shares_are_as_the_weights() {
        let rows = filled(ROWS, &[1, 3, 0, 4]);
        let shares = [0, 1, 2, 3].map(|index| share(&rows, index));
        assert_eq!(shares.iter().sum::<usize>(), ROWS);
        assert_eq!(shares[2], 0);
        for (index, weight) in [(0, 1), (1, 3), (3, 4)] {
            assert!(shares[index].abs_diff(ROWS * weight / 8) <= 4, "{shares:?}");
        }
    }

    #[test]
    fn all_of_weight_0_have_none() {
        assert_eq!(share(&filled(251, &[0, 0]), NOBODY), 251);
        assert_eq!(share(&filled(251, &[]), NOBODY), 251);
    }

    #[test]
    fn few_rows_change_when_a_member_goes() {
        let with = filled(ROWS, &[1; 10]);
        let without = filled(ROWS, &[1; 9]);
        let changed = with
            .iter()
            .zip(&without)
            .filter(|&(with, without)| *with != 9 && with != without);
        assert!(
            changed.count() < ROWS / 10,
            "besides those of the one that went"
        );
    }

    #[test]
    fn large_weights_take_no_more_turns_than_the_largest_has_bits_for() {
        let weights = [65_535, 1];
        let rows = filled(ROWS, &weights);
        assert_eq!(share(&rows, 1), ROWS / 64);
    }
}
