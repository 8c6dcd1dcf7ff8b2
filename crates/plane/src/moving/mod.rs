//! Moves a data plane into tables of other sizes or of another layout, while packets flow.
//!
//! 1. New tables are made beside the old ones, and everything is carried over, connections too.
//!    Packets still meet the old programs and tables ([`Move::begin`]).
//! 2. The director lays out what it wants in the new ones.
//! 3. What connections have become meanwhile is carried over, as often as it takes to come close
//!    ([`Move::follow`]).
//! 4. Each link gets its new program, in one step, and the last news are carried over
//!    ([`Move::finish`]); for these milliseconds, packets whose connection is not there yet, or may
//!    be another by now, are dropped ([`Reason::Moving`](rlvs_engine::reason::Reason::Moving)), and
//!    their senders send them again.
//! 5. The old tables go.
//!
//! A daemon that is killed on the way leaves the old tables in use, or both whole: the next one goes
//! on with 4. Fragments of datagrams are not carried over, nor what is in the queue of a CPU.

mod counters;
mod others;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rlvs_engine::connection::Key;
use rlvs_engine::ftp::Link;
use rlvs_engine::schedule::Members;
use rlvs_engine::table::{Carried, Seat, carry, locate, slot_at};
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, Tables, V4, V6};

use crate::call_ids;
use crate::error::Error;
use crate::layout::{LAYOUT, carry as carry_record};
use crate::localities;
use crate::plane::Sizes;
use crate::store::{IndexKey, Store};
use crate::tables::{KernelTables, key4, key6};
use crate::vlans;

use others::is_reverse;
pub(crate) use others::{LAYOUT_MAP, Others, directories};

/// So many ticks the clocks of two CPUs may differ, and a CPU may be kept from what it was doing.
const LEEWAY: u32 = 256;

/// A move that is under way.
#[derive(Debug)]
pub(crate) struct Move {
    from: Others,
    /// Entries that are from before are as they were carried over; `None`: nobody knows.
    since: Option<u32>,
    tally: Tally,
    /// Of templates, how many connections they had.
    children: Children,
    /// Where clients' entries lie to which others point: those of full NAT and of FTP.
    seats: [HashMap<Seat, Seat>; 2],
}

#[derive(Debug, Default)]
struct Children {
    four: HashMap<KeyOf<V4>, u32>,
    six: HashMap<KeyOf<V6>, u32>,
}

/// What became of the entries.
#[derive(Debug, Default)]
struct Tally {
    /// One that changed meanwhile counts each time.
    carried: u64,
    /// There was no room for these: by IP version, where they lay.
    lost: HashSet<(usize, Seat)>,
}

impl Move {
    /// Carries everything over into new tables.
    pub(crate) fn begin(from: Others, to: &KernelTables) -> Result<Self, Error> {
        if let Some(settings) = to.settings() {
            from.table("SETTINGS").carry(0, settings);
            settings.moving.store(1);
        }
        let mut this = Self::resume(from);
        this.records(to);
        this.hashes(to)?;
        counters::reasons(&this.from, to);
        this.follow(to);
        Ok(this)
    }

    /// Carries over what is not here yet, and what has become of the rest. Packets go on to meet the
    /// old tables meanwhile.
    pub(crate) fn follow(&mut self, to: &KernelTables) {
        let since = Some(to.now().wrapping_sub(LEEWAY));
        self.entries(to);
        self.since = since;
    }

    /// One that a daemon began which was killed when both were whole.
    pub(crate) fn resume(from: Others) -> Self {
        Self {
            from,
            since: None,
            tally: Tally::default(),
            children: Children::default(),
            seats: Default::default(),
        }
    }

    /// Carries over what has become of connections since, once no packet meets the old tables any
    /// more, and removes those.
    pub(crate) fn finish(mut self, to: &KernelTables) -> Result<(), Error> {
        to.wait_for_packets();
        self.entries(to);
        counters::carry(&self.from, to);
        self.from.retire();
        if let Some(settings) = to.settings() {
            settings.moving.store(0);
        }
        self.call_ids(to);
        let (carried, lost) = (self.tally.carried, self.tally.lost.len());
        let from = self.from.directory.display();
        tracing::info!(carried, lost, %from, "all is in the new tables");
        fs::remove_dir_all(&self.from.directory).map_err(|source| Error::Pin {
            path: self.from.directory.clone(),
            source,
        })
    }

    fn records(&self, to: &KernelTables) {
        let from = &self.from;
        for (number, record) in to.locals().iter().enumerate() {
            from.table("LOCALS").carry(number, record);
        }
        for (place, record) in to.vlans.tags().iter().enumerate() {
            from.table("TAGS").carry(place, record);
        }
        for (table, words) in [
            ("FILTER", to.filters()),
            ("INTERFACES", to.interfaces()),
            ("NODES", to.nodes()),
        ] {
            for (to, from) in words.iter().zip(from.table(table).words()) {
                to.store(from.load());
            }
        }
        for (record, there) in to
            .destinations()
            .iter()
            .zip(from.table("DESTINATIONS").records())
        {
            carry_record(record, there, &from.layout.tables["DESTINATIONS"]);
        }
        let fits = from.table("NODES").len() <= to.nodes().len();
        for (record, there) in to.services().iter().zip(from.table("SERVICES").records()) {
            carry_record(record, there, &from.layout.tables["SERVICES"]);
            if !fits {
                // They are laid out anew, as of a service that is new.
                record.members.store(Members::default().0);
                record.pool.store(0);
            }
        }
    }

    fn hashes(&self, to: &KernelTables) -> Result<(), Error> {
        for (key, number) in self.from.hash::<[u8; 8], u32>("INDEX4")? {
            to.set_index(IndexKey::V4(key4(key)), Some(number))?;
        }
        for (key, number) in self.from.hash::<[u8; 20], u32>("INDEX6")? {
            to.set_index(IndexKey::V6(key6(key)), Some(number))?;
        }
        to.vlans.keep(&self.from.hash(vlans::KEYS)?)?;
        self.call_ids(to);
        to.keep_localities(&self.from.hash(localities::NAME)?)
    }

    /// Once more at the end, for those that have come meanwhile. Calls go on without them; others are
    /// not told.
    fn call_ids(&self, to: &KernelTables) {
        if !self.from.layout.tables.contains_key(call_ids::NAME) {
            return;
        }
        let all = self.from.hash(call_ids::NAME);
        if let Err(error) = all.and_then(|all| to.keep_call_ids(&all)) {
            tracing::warn!(%error, "Call-IDs are lost");
        }
    }

    fn entries(&mut self, to: &KernelTables) {
        let mut children = std::mem::take(&mut self.children);
        self.family::<V4, 2>(to, "CONNECTIONS4", 0, &mut children.four);
        self.family::<V6, 5>(to, "CONNECTIONS6", 1, &mut children.six);
        self.children = children;
    }

    /// Clients' entries first: those of answers point to them.
    fn family<F, const W: usize>(
        &mut self,
        to: &KernelTables,
        name: &'static str,
        family: usize,
        children: &mut HashMap<KeyOf<F>, u32>,
    ) where
        F: Packet,
        F::Key: Key<Value = [u64; W]>,
        KernelTables: FamilyTables<F>,
    {
        let is_new = |entry: &Carried<_>| match self.since {
            Some(since) => entry.seen.wrapping_sub(since) as i32 >= 0,
            None => true,
        };
        let mut tally = std::mem::take(&mut self.tally);
        let mut links = Vec::new();
        for (seat, mut entry) in self.from.entries::<F, W>(name) {
            let is_template = entry.meta.state().is_template();
            if is_reverse(&entry) || !is_new(&entry) {
                continue;
            }
            let points = !is_template && entry.children != 0;
            let link = Link(entry.children).seat().filter(|_| points);
            if link.is_some() {
                entry.children = 0;
            }
            if is_template {
                let before = children.insert(entry.key, entry.children);
                entry.before = before.unwrap_or_else(|| self.before::<F>(to, &entry));
            }
            match carry::<F, _>(to, &entry) {
                Some(new) if points => {
                    self.seats[family].insert(seat, new);
                    links.extend(link.map(|link| (new, link)));
                }
                Some(_) => {}
                None => drop(tally.lost.insert((family, seat))),
            }
            tally.carried += 1;
        }
        // FTP's connections, for commands and for data, are told where the others lie now.
        for (own, other) in links {
            let slot = slot_at::<F, _>(to, own);
            if let (Some(slot), Some(other)) = (slot, self.seats[family].get(&other)) {
                slot.children.store(Link::to(*other).0);
            }
        }
        for (seat, mut entry) in self.from.entries::<F, W>(name) {
            if !is_reverse(&entry) {
                continue;
            }
            // One without its client is left by itself.
            if let Some(client) = self.seats[family].get(&Seat(entry.children)) {
                entry.children = client.0;
                if carry::<F, _>(to, &entry).is_none() {
                    tally.lost.insert((family, seat));
                }
            }
        }
        self.tally = tally;
    }
}

impl Move {
    /// Children that a template had when it was carried over, as far as a later daemon can know.
    fn before<F: Packet>(&self, to: &KernelTables, template: &Carried<KeyOf<F>>) -> u32
    where
        KernelTables: FamilyTables<F>,
    {
        match self.since {
            None if locate::<F, _>(to, &template.key, false, Seat::NONE).is_some() => {
                template.children
            }
            _ => 0,
        }
    }
}

/// Sizes that have room for what is in the old tables, too.
pub(crate) fn roomy(sizes: Sizes, from: &Others) -> Result<Sizes, Error> {
    let present = from.sizes();
    let connections = |name, family: usize| {
        let wanted = sizes.connections[family];
        // All memory of a table is read to count what is in it.
        match wanted < present.connections[family] {
            true => wanted.max(from.connections(name)),
            false => wanted,
        }
    };
    Ok(Sizes {
        connections: [
            connections("CONNECTIONS4", 0),
            connections("CONNECTIONS6", 1),
        ],
        services: sizes.services.max(from.services()?),
        destinations: sizes.destinations.max(from.destinations()),
    })
}

/// A directory for new tables beside others.
pub(crate) fn free_place(directory: &Path) -> PathBuf {
    let names = [format!("v{LAYOUT}"), format!("v{LAYOUT}-2")];
    let places = names.map(|name| directory.join(name));
    let [first, second] = places;
    match first.exists() {
        true => second,
        false => first,
    }
}
