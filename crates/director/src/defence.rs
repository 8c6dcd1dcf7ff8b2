//! What IPVS does when memory is short: `drop_entry`, `drop_packet` and `secure_tcp`
//! (net/netfilter/ipvs/ip_vs_ctl.c, `update_defense_level`).
//!
//! The memory that may be short here is the connection tables', which have all they get from the
//! start. What holds just now is no desired state: it lies in the tables, where packets and the
//! next daemon find it.

use rlvs_engine::connection::{Bucket, WAYS};
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, Tables, V4, V6, table};
use rlvs_plane::KernelTables;

use crate::core::Core;
use crate::sysctls::word;

/// How `amemthresh` counts memory.
const PAGE: i64 = 4096;
/// Of a table so small that `amemthresh` is more than this part of it, this part counts.
const MOST_KEPT: i64 = 8;
/// A mode of a defence: it is off, and goes on by itself.
const WATCHES: u32 = 1;
/// It is on, and goes off by itself.
const WORKS: u32 = 2;
/// It stays on.
const STAYS: u32 = 3;

/// `drop_entry` looks at so many buckets less than all each time.
const PARTS: usize = 32;

/// How full a connection table is.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Of all its slots.
    pub bytes: i64,
    pub slots: i64,
    pub entries: i64,
}

impl Fill {
    fn of<K>(buckets: &[Bucket<K>], entries: u64) -> Self {
        Self {
            bytes: size_of_val(buckets) as i64,
            slots: (buckets.len() * WAYS) as i64,
            entries: entries as i64,
        }
    }

    /// Of new connections' packets one of so many is too much, if memory is short.
    fn rate(self, pages: i64) -> Option<u32> {
        let kept = (pages * PAGE).min(self.bytes / MOST_KEPT);
        let free = self.bytes - self.bytes / self.slots.max(1) * self.entries;
        (free < kept).then(|| u32::try_from(kept / (kept - free)).unwrap_or(u32::MAX))
    }
}

/// The worst of all tables; 0 if none is short of memory, which is when `pages` are free.
pub fn shortage(tables: &[Fill], pages: i64) -> u32 {
    let rates = tables.iter().filter_map(|table| table.rate(pages));
    rates.min().unwrap_or(0)
}

impl Core {
    /// By what the last sweep found.
    pub(crate) fn defend(&self) {
        let Some(settings) = self.tables.settings() else {
            return;
        };
        let [four, six] = self.swept.entries;
        let tables = [
            Fill::of(self.tables.buckets4(), four),
            Fill::of(self.tables.buckets6(), six),
        ];
        let pages = i64::from(word(self.sysctl("amemthresh")).cast_signed());
        let (before, now) = (settings.shortage.load(), shortage(&tables, pages));
        if now != before {
            tracing::debug!(before, now, entries = four + six, "shortage of memory");
            settings.shortage.store(now);
        }
        for which in [Sysctl::DropEntry, Sysctl::DropPacket, Sysctl::SecureTcp] {
            settings.set_sysctl(which, self.force(which));
        }
        if self.mode("drop_packet") == WORKS {
            settings.shed_in.word.store(now);
        }
    }

    /// The present mode of a defence.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        present(word(self.sysctl(name)), self.shortage())
    }

    /// What packets and the sweep are to know of a defence.
    pub(crate) fn force(&self, which: Sysctl) -> u32 {
        let rate = word(self.sysctl("am_droprate"));
        force(which, self.mode(which.name()), self.shortage(), rate)
    }

    fn shortage(&self) -> u32 {
        let settings = self.tables.settings();
        settings.map_or(0, |settings| settings.shortage.load())
    }
}

/// What a mode is turned to: between the two that go by memory.
fn present(mode: u32, shortage: u32) -> u32 {
    match (mode, shortage) {
        (WATCHES | WORKS, 0) => WATCHES,
        (WATCHES | WORKS, _) => WORKS,
        (mode, _) => mode,
    }
}

/// A defence as packets know it, in its present mode.
fn force(which: Sysctl, mode: u32, shortage: u32, rate: u32) -> u32 {
    match (which, mode) {
        (Sysctl::DropPacket, WORKS) => shortage,
        (Sysctl::DropPacket, STAYS) => rate,
        (Sysctl::DropPacket, _) => 0,
        (_, mode) => u32::from(mode >= WORKS),
    }
}

/// `drop_entry`, if it is on: a part of both tables, another each time.
pub(crate) fn thin_out(tables: &KernelTables, turn: usize) {
    let settings = tables.settings();
    if settings.is_some_and(|settings| settings.is_on(Sysctl::DropEntry)) {
        thin::<V4, _>(tables, tables.buckets4(), turn);
        thin::<V6, _>(tables, tables.buckets6(), turn);
    }
}

/// Ends what may go in a part of the buckets, and prepares the next one's turn.
pub fn thin<F: Packet, T: FamilyTables<F>>(tables: &T, buckets: &[Bucket<F::Key>], turn: usize) {
    let part = |turn: usize| {
        let buckets = buckets.iter().skip(turn % PARTS).step_by(PARTS);
        buckets.flat_map(|bucket| &bucket.slots)
    };
    for slot in part(turn) {
        table::thin::<F, T>(tables, slot);
    }
    part(turn + 1).for_each(table::look_at);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(slots: i64, entries: i64) -> Fill {
        Fill {
            bytes: slots * 32,
            slots,
            entries,
        }
    }

    /// 1024 pages are 131,072 slots of IPv4.
    #[test]
    fn memory_is_short_when_fewer_pages_are_free_than_amemthresh() {
        const SLOTS: i64 = 2_500_000;
        let rate = |free, pages| shortage(&[table(SLOTS, SLOTS - free)], pages);
        assert_eq!(
            [131_072, 131_071].map(|free| rate(free, 1024)),
            [0, 131_072 * 32 / 32]
        );
        assert_eq!(
            [98_304, 65_536, 1, 0].map(|free| rate(free, 1024)),
            [4, 2, 1, 1]
        );
        assert_eq!([0, -1].map(|pages| rate(0, pages)), [0, 0]);
    }

    #[test]
    fn modes_turn_with_memory() {
        let turned = |shortage| [0, 1, 2, 3].map(|mode| present(mode, shortage));
        assert_eq!(
            (turned(0), turned(1), turned(7)),
            ([0, 1, 1, 3], [0, 2, 2, 3], [0, 2, 2, 3])
        );
        let of = |which, shortage| turned(shortage).map(|mode| force(which, mode, shortage, 10));
        assert_eq!(of(Sysctl::DropPacket, 0), [0, 0, 0, 10]);
        assert_eq!(of(Sysctl::DropPacket, 7), [0, 7, 7, 10]);
        for which in [Sysctl::DropEntry, Sysctl::SecureTcp] {
            assert_eq!((of(which, 0), of(which, 7)), ([0, 0, 0, 1], [0, 1, 1, 1]));
        }
    }

    #[test]
    fn of_a_small_table_an_eighth_counts() {
        let rate = |free: i64| shortage(&[table(800, 800 - free)], 1024);
        assert_eq!([101, 100, 99, 75, 50, 0].map(rate), [0, 0, 100, 4, 2, 1]);
    }

    #[test]
    fn the_worse_table_decides() {
        let (empty, fuller, full) = (table(800, 0), table(800, 725), table(800, 800));
        assert_eq!(shortage(&[empty, empty], 1024), 0);
        assert_eq!(shortage(&[empty, fuller], 1024), 4);
        assert_eq!(shortage(&[full, fuller], 1024), 1);
        assert_eq!(shortage(&[], 1024), 0);
    }
}
