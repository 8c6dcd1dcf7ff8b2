//! What lblc and lblcr remember: the destinations that an address is served by.
//!
//! For each service and address that clients ask for there is one [`Locality`], in a table that
//! packets find and make it in (IPVS: `ip_vs_lblc_entry`, `ip_vs_lblcr_entry`). Packets of many CPUs
//! change its words without a lock: the last one counts, as under IPVS's lock. The daemon takes out
//! what was long not used.

use rlvs_word::Shared32;

use crate::family::Family;
use crate::settings::elapsed;
use crate::tables::KeyOf;

/// Room for addresses; for one more, nothing is remembered.
pub const ROOM: u32 = 65_536;
/// More addresses of one service are too many, and give way when they are idle for
/// [`IDLE`] seconds (IPVS: 16 for each of 1024 buckets).
pub const MANY: usize = 16_384;
pub const IDLE: u32 = 360;

/// An address that clients of a service ask for: in words, for those that are not aligned make the
/// compiler write where the verifier wants no writes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct Site {
    /// An IPv4 address is in the first four bytes.
    address: [u64; 2],
    service: u64,
}

impl Site {
    /// Of a connection of a service, by its number.
    #[inline(always)]
    pub fn of<F: Family>(key: &KeyOf<F>, service: u32) -> Self {
        let [_, [a, b, c, d]] = F::words(key);
        let word = |low: u32, high: u32| low as u64 | (high as u64) << 32;
        Self {
            address: [word(a, b), word(c, d)],
            service: service as u64,
        }
    }

    #[inline(always)]
    pub const fn service(&self) -> u32 {
        self.service as u32
    }

    pub const fn from_words([low, high, service]: [u64; 3]) -> Self {
        Self {
            address: [low, high],
            service,
        }
    }

    pub const fn to_words(self) -> [u64; 3] {
        [self.address[0], self.address[1], self.service]
    }
}

/// What is remembered of one address.
#[derive(Debug)]
#[repr(C)]
pub struct Locality {
    /// Tick of the last connection.
    pub used: Shared32,
    /// Tick at which a destination last came or went.
    changed: Shared32,
    /// How many have come, ever: the next one's place follows from it.
    come: Shared32,
    reserved: Shared32,
    /// Numbers of destinations, each plus one; 0: none. lblc has the first place alone.
    places: [Shared32; PLACES as usize],
}

/// A power of two. One more destination takes the place of the one that came first.
pub const PLACES: u32 = 64;

const _: () = assert!(size_of::<Locality>() == 272);

impl Default for Locality {
    fn default() -> Self {
        Self {
            used: Shared32::new(0),
            changed: Shared32::new(0),
            come: Shared32::new(0),
            reserved: Shared32::new(0),
            places: [const { Shared32::new(0) }; PLACES as usize],
        }
    }
}

impl Locality {
    /// The destination that the address is served by alone.
    #[inline(always)]
    pub fn only(&self) -> Option<u32> {
        self.at(0)
    }

    #[inline(always)]
    pub fn set_only(&self, destination: u32) {
        self.places[0].store(destination.wrapping_add(1));
    }

    /// How many places to look at, see [`Self::newest`].
    #[inline(always)]
    pub fn length(&self) -> u32 {
        self.come.load().min(PLACES)
    }

    /// The destination that came so many before the last one; none if it went.
    #[inline(always)]
    pub fn newest(&self, turn: u32) -> Option<u32> {
        self.at(self.come.load().wrapping_sub(1).wrapping_sub(turn))
    }

    /// Another destination, which is not among them.
    #[inline(always)]
    pub fn add(&self, destination: u32, now: u32) {
        let place = self.come.add(1);
        self.place(place).store(destination.wrapping_add(1));
        self.changed.store(now);
    }

    /// Takes out the one that [`Self::newest`] has at `turn`, unless another is there now.
    #[inline(always)]
    pub fn remove(&self, turn: u32, destination: u32, now: u32) {
        let place = self.come.load().wrapping_sub(1).wrapping_sub(turn);
        self.place(place).replace(destination.wrapping_add(1), 0);
        self.changed.store(now);
    }

    /// As if nothing had ever been known.
    pub fn clear(&self) {
        for word in [&self.used, &self.changed, &self.come] {
            word.store(0);
        }
        for place in &self.places {
            place.store(0);
        }
    }

    /// Ticks since a destination last came or went.
    #[inline(always)]
    pub fn age(&self, now: u32) -> u32 {
        elapsed(now, self.changed.load())
    }

    /// All destinations.
    pub fn all(&self) -> impl Iterator<Item = u32> {
        self.places
            .iter()
            .filter_map(|place| place.load().checked_sub(1))
    }

    #[inline(always)]
    fn at(&self, place: u32) -> Option<u32> {
        self.place(place).load().checked_sub(1)
    }

    #[inline(always)]
    fn place(&self, place: u32) -> &Shared32 {
        &self.places[place as usize & (PLACES as usize - 1)]
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn destinations_come_and_go_in_order() {
        let locality = Locality::default();
        for number in 0..PLACES + 3 {
            locality.add(number, number);
        }
        let newest: Vec<_> = (0..locality.length())
            .map(|turn| locality.newest(turn))
            .collect();
        let expected: Vec<_> = (3..PLACES + 3).rev().map(Some).collect();
        assert_eq!(newest, expected, "the first ones had to go");
        locality.remove(1, PLACES + 1, 100);
        assert_eq!(locality.newest(1), None);
        assert_eq!((locality.age(100), locality.age(107)), (0, 7));
        locality.remove(0, 5, 100);
        assert_eq!(locality.newest(0), Some(PLACES + 2), "it is another");
    }
}
