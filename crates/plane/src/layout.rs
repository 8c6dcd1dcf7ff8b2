//! What the tables' bytes mean, written beside them in the map `LAYOUT`: another version of rlvs
//! reads it there, and carries over what it knows.
//!
//! ```text
//! rlvs 4
//! table DESTINATIONS 1 128      name, meaning, bytes of a record
//! field next_hop 0 8            name, where it begins, bytes
//! ```
//!
//! A field that comes to mean something else gets another name. Where the meaning of what is stored
//! in fields changes, or of a table without any, the number of its meaning is raised.

use std::collections::HashMap;
use std::fmt::Write;
use std::mem::offset_of;

use rlvs_engine::Family;
use rlvs_engine::call_id::CallId;
use rlvs_engine::connection::Slot;
use rlvs_engine::destination::Destination;
use rlvs_engine::failure::Failure;
use rlvs_engine::lease::Local;
use rlvs_engine::locality::Locality;
use rlvs_engine::reason::{Event, ROOM, Reason};
use rlvs_engine::service::Service;
use rlvs_engine::settings::Settings;
use rlvs_engine::statistics::Counters;
use rlvs_engine::vlan::Vlan;
use rlvs_engine::{V4, V6};
use rlvs_word::{Shared32, Shared64};

use crate::call_ids;

/// Version of what is pinned: [`VERSION`] is raised whenever anything here changes.
pub(crate) const LAYOUT: u32 = match cfg!(feature = "other-layout") {
    false => VERSION,
    true => VERSION + OTHER,
};

const VERSION: u32 = 4;
/// Far from those that come.
const OTHER: u32 = 1_000_000;

/// What earlier versions have not: there is nothing to carry over.
const LATER: [&str; 1] = [call_ids::NAME];

/// Room for the text, and before it a word that says how long it is.
pub(crate) const TEXT: usize = 8192 - 8;

/// Where a field of a record is, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Field {
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

/// One table's records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) meaning: u32,
    pub(crate) size: usize,
    pub(crate) fields: HashMap<String, Field>,
}

/// All tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Layout {
    pub(crate) version: u32,
    pub(crate) tables: HashMap<String, Record>,
}

/// Why tables cannot be carried over.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Foreign {
    #[error("they do not say what is in them")]
    Unsaid,
    #[error("it is not known here what {0} has in {1}")]
    Field(String, String),
    #[error("{0} means something else there")]
    Meaning(String),
    #[error("{0} is not there")]
    Table(String),
    #[error("it was carrying its connections over to new tables when its daemon was killed")]
    Moving,
}

/// A word, or several, of a record that is carried over.
pub(crate) trait Carry {
    fn length(&self) -> usize;

    /// Takes what lies `at` so many bytes in another record.
    fn carry(&self, from: &[Shared64], at: usize);
}

/// A record whose fields are carried over by name.
pub(crate) trait Described {
    /// Fields that last, and where.
    fn fields(&self) -> Vec<(&'static str, usize, &dyn Carry)>;
}

macro_rules! described {
    ($($record:ty { $($field:ident),* })*) => {
        $(
            impl Described for $record {
                fn fields(&self) -> Vec<(&'static str, usize, &dyn Carry)> {
                    vec![$((stringify!($field), offset_of!($record, $field), &self.$field)),*]
                }
            }
        )*
    };
}

described! {
    Settings {
        seed, last_stateless, ever_stateless, last_error, calls, announced, timeouts, sysctls, shortage,
        led, moving
    }
    Service { members, cursor, mode, persistence, mask, pool, mark }
    Destination {
        next_hop, source, interface, flags, weight, upper_threshold, lower_threshold, service,
        address, port, mtu, outer_source, tunnel, mtu_told, last_weight
    }
    Local { address, flags, conflicts }
    Counters { connections, packets, bytes, packets_back, bytes_back }
    Vlan { index, lower, tags, redirect }
}

impl Carry for Shared64 {
    fn length(&self) -> usize {
        size_of::<Self>()
    }

    fn carry(&self, from: &[Shared64], at: usize) {
        self.store(word64(from, at));
    }
}

impl Carry for Shared32 {
    fn length(&self) -> usize {
        size_of::<Self>()
    }

    fn carry(&self, from: &[Shared64], at: usize) {
        self.store(word32(from, at));
    }
}

impl<T: Carry, const N: usize> Carry for [T; N] {
    fn length(&self) -> usize {
        self.iter().map(T::length).sum()
    }

    fn carry(&self, from: &[Shared64], mut at: usize) {
        for word in self {
            word.carry(from, at);
            at += word.length();
        }
    }
}

/// Eight bytes of a record, 0 past its end.
pub(crate) fn word64(record: &[Shared64], at: usize) -> u64 {
    record.get(at / 8).map_or(0, Shared64::load)
}

/// Four.
pub(crate) fn word32(record: &[Shared64], at: usize) -> u32 {
    let [a, b, c, d, e, f, g, h] = word64(record, at).to_ne_bytes();
    u32::from_ne_bytes(match at % 8 {
        0 => [a, b, c, d],
        _ => [e, f, g, h],
    })
}

/// Takes all fields that both have. Those that are new keep what they begin with.
pub(crate) fn carry(to: &impl Described, from: &[Shared64], layout: &Record) {
    for (name, _, field) in to.fields() {
        if let Some(there) = layout.fields.get(name)
            && there.length == field.length()
        {
            field.carry(from, there.offset);
        }
    }
}

impl Layout {
    /// That of this version.
    pub(crate) fn ours() -> Self {
        let word = || [("word", 0, 8)];
        let tables = [
            of("SETTINGS", 1, &Settings::default()),
            of("SERVICES", 1, &Service::default()),
            of("DESTINATIONS", 1, &Destination::default()),
            of("LOCALS", 1, &Local::default()),
            of("COUNTERS", 1, &Counters::default()),
            of("BASES", 1, &Counters::default()),
            of("TAGS", 1, &Vlan::default()),
            plain("NODES", 8, word()),
            plain("FILTER", 8, word()),
            plain("INTERFACES", 8, word()),
            plain("REASONS", ROOM as usize * 8, counters()),
            slot::<V4>("CONNECTIONS4"),
            slot::<V6>("CONNECTIONS6"),
            plain("INDEX4", 12, []),
            plain("INDEX6", 24, []),
            plain("VLANS", 20, []),
            plain("LOCALITIES", 24 + size_of::<Locality>(), []),
            plain(call_ids::NAME, 8 + size_of::<CallId>(), []),
        ];
        Self {
            version: LAYOUT,
            tables: HashMap::from(tables),
        }
    }

    /// Whether everything in tables of another layout is known here, so that they can be carried
    /// over, and what not.
    pub(crate) fn check(&self) -> Result<(), Foreign> {
        let ours = Self::ours();
        for (name, table) in &ours.tables {
            let Some(there) = self.tables.get(name) else {
                match LATER.contains(&name.as_str()) {
                    true => continue,
                    false => return Err(Foreign::Table(name.clone())),
                }
            };
            if there.meaning != table.meaning {
                return Err(Foreign::Meaning(name.clone()));
            }
            // Counters of reasons that there are no more are let go.
            let strange = there.fields.iter().find(|(field, there)| {
                let here = table.fields.get(*field);
                name != "REASONS" && here.is_none_or(|here| here.length != there.length)
            });
            if let Some((field, _)) = strange {
                return Err(Foreign::Field(field.clone(), name.clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("rlvs {}\n", self.version);
        let mut tables: Vec<_> = self.tables.iter().collect();
        tables.sort_by_key(|(name, _)| *name);
        for (name, table) in tables {
            let _ = writeln!(text, "table {name} {} {}", table.meaning, table.size);
            let mut fields: Vec<_> = table.fields.iter().collect();
            fields.sort_by_key(|(_, field)| field.offset);
            for (name, field) in fields {
                let _ = writeln!(text, "field {name} {} {}", field.offset, field.length);
            }
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Foreign> {
        Self::parsed(text).ok_or(Foreign::Unsaid)
    }

    fn parsed(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("rlvs ")?.parse().ok()?;
        let mut tables = HashMap::new();
        let mut last = String::new();
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            let [kind, name, first, second] = words[..] else {
                return None;
            };
            let (first, second): (usize, usize) = (first.parse().ok()?, second.parse().ok()?);
            match kind {
                "table" => {
                    name.clone_into(&mut last);
                    let record = Record {
                        meaning: u32::try_from(first).ok()?,
                        size: second,
                        fields: HashMap::new(),
                    };
                    tables.insert(last.clone(), record);
                }
                "field" => {
                    let table = tables.get_mut(&last)?;
                    let fits = first % 4 == 0 && first.checked_add(second)? <= table.size;
                    let field = Field {
                        offset: first,
                        length: second,
                    };
                    fits.then(|| table.fields.insert(name.to_owned(), field))?;
                }
                _ => return None,
            }
        }
        Some(Self { version, tables })
    }
}

fn of<R: Described>(name: &str, meaning: u32, record: &R) -> (String, Record) {
    let fields = record.fields().into_iter();
    let fields = fields.map(|(name, offset, field)| (name, offset, field.length()));
    table(name, meaning, size_of::<R>(), fields)
}

fn plain(
    name: &str,
    size: usize,
    fields: impl IntoIterator<Item = (&'static str, usize, usize)>,
) -> (String, Record) {
    table(name, 1, size, fields)
}

fn slot<F: Family>(name: &str) -> (String, Record) {
    let fields = [
        ("meta", offset_of!(Slot<F::Key>, meta), 8),
        ("seen", offset_of!(Slot<F::Key>, seen), 4),
        ("children", offset_of!(Slot<F::Key>, children), 4),
        (
            "key",
            offset_of!(Slot<F::Key>, key),
            size_of::<rlvs_engine::tables::KeyOf<F>>(),
        ),
    ];
    table(name, 1, size_of::<Slot<F::Key>>(), fields)
}

/// Counters by what they count.
fn counters() -> impl Iterator<Item = (&'static str, usize, usize)> {
    let reasons = Reason::ALL.iter().map(|&it| (it.name(), it as usize));
    let failures = Failure::ALL.iter().map(|&it| (it.name(), it as usize));
    let events = [
        ("evicted", Event::Evicted as usize),
        ("stateless", Event::Stateless as usize),
        ("thinned", Event::Thinned as usize),
    ];
    reasons
        .chain(failures)
        .chain(events)
        .map(|(name, place)| (name, place * 8, 8))
}

fn table(
    name: &str,
    meaning: u32,
    size: usize,
    fields: impl IntoIterator<Item = (&'static str, usize, usize)>,
) -> (String, Record) {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, offset, length)| (name.to_owned(), Field { offset, length }));
    let record = Record {
        meaning,
        size,
        fields: fields.collect(),
    };
    (name.to_owned(), record)
}

#[cfg(test)]
mod tests;
