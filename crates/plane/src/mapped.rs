//! An eBPF array map as a slice of shared records.

use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::slice;

use aya::maps::{MapData, MapType};
use memmap2::{MmapOptions, MmapRaw};
use rlvs_engine::connection::{Bucket, Words};
use rlvs_engine::destination::{Destination, Load};
use rlvs_engine::lease::Local;
use rlvs_engine::service::Service;
use rlvs_engine::settings::Settings;
use rlvs_engine::statistics::Counters;
use rlvs_engine::vlan::Vlan;
use rlvs_word::Shared64;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

/// A record made of shared words alone: others may change it at any time.
///
/// # Safety
///
/// Any bytes are a valid `Self`, its size divides into 8, and all of it may be read and written
/// through `&Self` while others do so.
pub(crate) unsafe trait Record {}

macro_rules! records {
    ($($record:ty),*) => {
        $(
            // SAFETY: it consists of shared words and of padding that nobody reads.
            unsafe impl Record for $record {}
            const _: () = assert!(size_of::<$record>().is_multiple_of(8));
        )*
    };
}

records!(
    Settings,
    Shared64,
    Service,
    Destination,
    Load,
    Local,
    Counters,
    Vlan
);
records!(Bucket<Words<2, 0>>, Bucket<Words<5, 1>>);

/// The memory of an array map.
#[derive(Debug)]
pub(crate) struct Mapped<T> {
    memory: MmapRaw,
    length: usize,
    records: PhantomData<T>,
    /// Programs that are loaded later name the map by its descriptor.
    _map: MapData,
}

impl<T: Record> Mapped<T> {
    /// Maps `map`, which must be an array of `T` made to be mapped.
    pub(crate) fn new(map: MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        if info.value_size() as usize != size_of::<T>() {
            return Err(io::Error::other(format!(
                "its values have {} bytes, not {}",
                info.value_size(),
                size_of::<T>()
            )));
        }
        Self::of(map, info.max_entries() as usize)
    }

    /// Maps so many records.
    fn of(map: MapData, length: usize) -> io::Result<Self> {
        let file = map.fd().as_fd().as_raw_fd();
        let memory = MmapOptions::new()
            .len(length * size_of::<T>())
            .map_raw(file)?;
        Ok(Self {
            memory,
            length,
            records: PhantomData,
            _map: map,
        })
    }
}

impl Mapped<Shared64> {
    /// Maps an array of whatever records as words.
    pub(crate) fn words(map: MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        let size = info.value_size() as usize;
        if info.map_type().map_err(io::Error::other)? != MapType::Array || !size.is_multiple_of(8) {
            return Err(io::Error::other("it is no array of words"));
        }
        Self::of(map, info.max_entries() as usize * (size / 8))
    }
}

impl<T: Record> Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is page aligned, `length` records long, and lives as long as
        // `self`; that the packet path changes it meanwhile is what `Record` allows.
        unsafe { slice::from_raw_parts(self.memory.as_ptr().cast(), self.length) }
    }
}
