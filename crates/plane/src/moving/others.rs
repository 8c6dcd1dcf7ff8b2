//! Tables that another daemon made, of whatever sizes and layout: read by what is written beside
//! them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{HashMap as KernelHash, Map, MapData, MapError};
use rlvs_engine::connection::{Key, Meta, State, WAYS};
use rlvs_engine::destination::Destination;
use rlvs_engine::settings::Settings;
use rlvs_engine::table::{Carried, Seat, connections_of};
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tuple::Packet;
use rlvs_word::Shared64;

use crate::error::Error;
use crate::layout::{Described, Layout, Record, TEXT, carry, word32, word64};
use crate::mapped::Mapped;
use crate::plane::Sizes;

/// The map with the text of [`Layout`].
pub(crate) const LAYOUT_MAP: &str = "LAYOUT";

/// Tables as they are pinned.
#[derive(Debug)]
pub(crate) struct Others {
    /// With the folder `maps` in it.
    pub(crate) directory: PathBuf,
    pub(crate) layout: Layout,
    text: Mapped<Shared64>,
    tables: HashMap<&'static str, Table>,
}

/// An array map as words.
#[derive(Debug)]
pub(crate) struct Table {
    words: Mapped<Shared64>,
    record: Record,
}

/// The arrays that are carried over.
const ARRAYS: [&str; 13] = [
    "SETTINGS",
    "SERVICES",
    "DESTINATIONS",
    "LOCALS",
    "COUNTERS",
    "BASES",
    "TAGS",
    "NODES",
    "FILTER",
    "INTERFACES",
    "REASONS",
    "CONNECTIONS4",
    "CONNECTIONS6",
];

impl Others {
    /// What is pinned in a directory; `None` if it was never finished.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, Error> {
        if !maps(directory).join(LAYOUT_MAP).exists() {
            return Ok(None);
        }
        let text = words(directory, LAYOUT_MAP)?;
        let Some(said) = said(&text) else {
            return Ok(None);
        };
        let refused = |source| Error::OtherVersion {
            path: directory.to_owned(),
            source,
        };
        let layout = Layout::parse(&said).map_err(refused)?;
        layout.check().map_err(refused)?;
        let mut tables = HashMap::new();
        for name in ARRAYS {
            let words = words(directory, name)?;
            let record = layout.tables[name].clone();
            tables.insert(name, Table { words, record });
        }
        Ok(Some(Self {
            directory: directory.to_owned(),
            layout,
            text,
            tables,
        }))
    }

    pub(crate) fn table(&self, name: &'static str) -> &Table {
        &self.tables[name]
    }

    /// Packets meet them no more: whoever finds them may remove them.
    pub(crate) fn retire(&self) {
        self.text[0].store(0);
    }

    /// Whether others' connections were being carried over to these.
    pub(crate) fn is_moved_to(&self) -> bool {
        let settings = Settings::default();
        self.table("SETTINGS").carry(0, &settings);
        settings.moving.load() != 0
    }

    /// How large they were made.
    pub(crate) fn sizes(&self) -> Sizes {
        let connections = |name| {
            let slots = self.table(name).len();
            connections_of((slots / WAYS) as u32)
        };
        Sizes {
            connections: [connections("CONNECTIONS4"), connections("CONNECTIONS6")],
            services: self.table("SERVICES").len() as u32,
            destinations: self.table("DESTINATIONS").len() as u32,
        }
    }

    /// A hash map with keys and values of these types.
    pub(crate) fn hash<K: aya::Pod, V: aya::Pod>(
        &self,
        name: &'static str,
    ) -> Result<Vec<(K, V)>, Error> {
        let of = |source| Error::Map { name, source };
        let map = pinned(&self.directory, name)?;
        let map = KernelHash::<_, K, V>::try_from(Map::HashMap(map)).map_err(of)?;
        let all: Result<Vec<_>, MapError> = map.iter().collect();
        all.map_err(of)
    }

    /// One more than the highest number of a destination in use.
    pub(crate) fn destinations(&self) -> u32 {
        let table = self.table("DESTINATIONS");
        let used = |number: &usize| {
            let record = Destination::default();
            table.carry(*number, &record);
            record.is(Destination::USED)
        };
        let last = (0..table.len()).rev().find(used);
        last.map_or(0, |number| number as u32 + 1)
    }

    /// The same of services.
    pub(crate) fn services(&self) -> Result<u32, Error> {
        let four = self.hash::<[u8; 8], u32>("INDEX4")?.into_iter();
        let six = self.hash::<[u8; 20], u32>("INDEX6")?.into_iter();
        let numbers = four
            .map(|(_, number)| number)
            .chain(six.map(|(_, number)| number));
        Ok(numbers.max().map_or(0, |number| number.saturating_add(1)))
    }

    /// How many entries of a family live.
    pub(crate) fn connections(&self, name: &'static str) -> u32 {
        let table = self.table(name);
        let is_live = |record: &&[Shared64]| Meta(table.word64(record, "meta")).is_live();
        table.records().filter(is_live).count() as u32
    }

    /// Entries of a family that live, and where they lie.
    pub(crate) fn entries<F, const W: usize>(
        &self,
        name: &'static str,
    ) -> impl Iterator<Item = (Seat, Carried<KeyOf<F>>)>
    where
        F: Packet,
        F::Key: Key<Value = [u64; W]>,
    {
        let table = self.table(name);
        let at = |field| table.record.fields[field].offset;
        let [meta_at, seen_at, children_at, key_at] = ["meta", "seen", "children", "key"].map(at);
        table
            .records()
            .enumerate()
            .filter_map(move |(place, record)| {
                let meta = Meta(word64(record, meta_at));
                if !meta.is_live() {
                    return None;
                }
                let entry = Carried {
                    key: std::array::from_fn(|word| word64(record, key_at + 8 * word)),
                    meta,
                    seen: word32(record, seen_at),
                    children: word32(record, children_at),
                    before: 0,
                };
                // Another may have come there while it was read.
                let is_same = Meta(word64(record, meta_at)).is_same_tenant(meta);
                is_same.then_some((Seat(place as u32), entry))
            })
    }
}

impl Table {
    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.words.len() / self.stride()
    }

    fn stride(&self) -> usize {
        (self.record.size / 8).max(1)
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &[Shared64]> {
        self.words.chunks_exact(self.stride())
    }

    pub(crate) fn words(&self) -> &[Shared64] {
        &self.words
    }

    pub(crate) fn record(&self, number: usize) -> Option<&[Shared64]> {
        self.words.chunks_exact(self.stride()).nth(number)
    }

    /// The fields of record `number` into one of ours.
    pub(crate) fn carry(&self, number: usize, to: &impl Described) {
        if let Some(record) = self.record(number) {
            carry(to, record, &self.record);
        }
    }

    /// A field of a record, 0 if it has none of the name.
    pub(crate) fn word64(&self, record: &[Shared64], field: &str) -> u64 {
        let field = self.record.fields.get(field);
        field.map_or(0, |field| word64(record, field.offset))
    }
}

/// Whether an entry is what a real server's answers find.
pub(crate) fn is_reverse<V>(entry: &Carried<V>) -> bool {
    entry.meta.state() == State::Reverse
}

/// What is written of tables, once they are whole.
fn said(words: &[Shared64]) -> Option<String> {
    let length = (words[0].load() as usize).min(TEXT);
    let bytes = words[1..].iter().flat_map(|word| word.load().to_ne_bytes());
    let text: Vec<u8> = bytes.take(length).collect();
    (length > 0).then(|| String::from_utf8_lossy(&text).into_owned())
}

fn words(directory: &Path, name: &'static str) -> Result<Mapped<Shared64>, Error> {
    let map = pinned(directory, name)?;
    Mapped::words(map).map_err(|source| Error::Mapping { name, source })
}

fn pinned(directory: &Path, name: &'static str) -> Result<MapData, Error> {
    MapData::from_pin(maps(directory).join(name)).map_err(|source| Error::Map { name, source })
}

pub(crate) fn maps(directory: &Path) -> PathBuf {
    directory.join("maps")
}

/// Directories with tables, in no order.
pub(crate) fn directories(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| Error::Pin {
            path: directory.to_owned(),
            source,
        })?,
    };
    let directories = entries.flatten().map(|entry| entry.path());
    Ok(directories.filter(|path| maps(path).is_dir()).collect())
}
