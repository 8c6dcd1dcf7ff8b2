//! The programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rlvs_engine::Tables;
use rlvs_engine::tables::interface;
use rustix::io::Errno;

use crate::error::{Error, chain};
use crate::hook::{Failed, Hook};
use crate::mode::Mode;
use crate::programs::Programs;
use crate::tables::KernelTables;

/// The interfaces that a program is on.
#[derive(Debug)]
pub struct Interfaces {
    links: PathBuf,
    tables: Arc<KernelTables>,
    /// While one mode replaces another, an interface has both.
    attached: BTreeMap<(u32, Mode), Hook>,
}

/// Why the program is not on an interface.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(
        "its index {index} and that of an attached interface are the same in the lowest ten \
         bits; recreate one of them"
    )]
    IndexTaken { index: u32 },
    #[error("another XDP program is attached to it; detach that: ip link set dev {name} xdp off")]
    Occupied { name: String },
    #[error("the driver does not support it")]
    NotSupported,
    #[error("the kernel refused: {0}")]
    Kernel(String),
}

impl Interfaces {
    pub(crate) fn new(links: PathBuf, tables: Arc<KernelTables>) -> Self {
        Self {
            links,
            tables,
            attached: BTreeMap::new(),
        }
    }

    /// How the program is on an interface.
    pub fn mode(&self, index: u32) -> Option<Mode> {
        Mode::ALL
            .into_iter()
            .find(|&mode| self.is_attached(index, mode))
    }

    pub fn indexes(&self) -> impl Iterator<Item = u32> {
        let all: BTreeSet<u32> = self.attached.keys().map(|&(index, _)| index).collect();
        all.into_iter()
    }

    /// Puts the programs in place of an earlier daemon's wherever those are attached. What
    /// interfaces that are gone had is removed.
    pub(crate) fn adopt(&mut self, programs: &mut Programs) -> Result<(), Error> {
        for hook in Hook::all(&self.links)? {
            let index = hook.index;
            match hook.replace(programs) {
                Ok(()) => {
                    self.attached.insert((index, hook.mode), hook);
                }
                Err(reason) => {
                    tracing::info!(index, reason, "an interface is gone since the last run");
                    hook.detach()?;
                }
            }
        }
        Ok(())
    }

    /// Attaches the program of `mode` to an interface, in place of the modes that are there: each
    /// packet finds one of them. If that fails, what was there stays.
    pub(crate) fn attach(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        mode: Mode,
    ) -> Result<(), Refused> {
        if let Some(other) = self.neighbour_in_slot(index) {
            tracing::warn!(name, index, other, "interface indexes collide");
            return Err(Refused::IndexTaken { index });
        }
        let mut there = Mode::ALL
            .into_iter()
            .filter(|&it| self.is_attached(index, it));
        match there.find(|old| old.excludes(mode)) {
            Some(old) => self.exchange(programs, index, name, [old, mode])?,
            None => self.put(programs, index, name, mode)?,
        }
        let mut others = Mode::ALL.into_iter().filter(|&other| other != mode);
        others
            .try_for_each(|other| self.take(index, other))
            .map_err(|error| Refused::Kernel(error.to_string()))
    }

    /// Tells the packet path the interface's own MAC address.
    pub fn set_address(&self, index: u32, address: [u8; 6]) {
        if let Some(slot) = self.tables.interface(interface::slot(index)) {
            slot.store(interface::word(index, address));
        }
    }

    /// Takes the program off an interface, which may be gone already.
    pub fn detach(&mut self, index: u32) -> Result<(), Error> {
        if self.mode(index).is_none() {
            return Ok(());
        }
        if let Some(slot) = self.tables.interface(interface::slot(index)) {
            slot.store(0);
        }
        Mode::ALL
            .into_iter()
            .try_for_each(|mode| self.take(index, mode))
    }

    /// Where one mode excludes the other, tc serves in between.
    fn exchange(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        [old, new]: [Mode; 2],
    ) -> Result<(), Refused> {
        self.put(programs, index, name, Mode::Tc)?;
        let taken = self.take(index, old);
        taken.map_err(|error| Refused::Kernel(error.to_string()))?;
        let outcome = self.put(programs, index, name, new);
        if outcome.is_err() {
            self.put(programs, index, name, old)?;
            let taken = self.take(index, Mode::Tc);
            taken.map_err(|error| Refused::Kernel(error.to_string()))?;
        }
        outcome
    }

    fn put(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        mode: Mode,
    ) -> Result<(), Refused> {
        if self.is_attached(index, mode) {
            return Ok(());
        }
        let hook = Hook::attach(programs, &self.links, index, mode)
            .map_err(|error| refused(name, &error))?;
        self.attached.insert((index, mode), hook);
        Ok(())
    }

    fn take(&mut self, index: u32, mode: Mode) -> Result<(), Error> {
        let hook = self.attached.remove(&(index, mode));
        hook.map_or(Ok(()), |hook| hook.detach())
    }

    fn is_attached(&self, index: u32, mode: Mode) -> bool {
        self.attached.contains_key(&(index, mode))
    }

    fn neighbour_in_slot(&self, index: u32) -> Option<u32> {
        let slot = interface::slot(index);
        self.indexes()
            .find(|&other| other != index && interface::slot(other) == slot)
    }
}

fn refused(name: &str, error: &Failed) -> Refused {
    let text = chain(error);
    let is = |number: Errno| text.contains(&format!("(os error {})", number.raw_os_error()));
    if is(Errno::BUSY) {
        let name = name.to_owned();
        return Refused::Occupied { name };
    }
    if is(Errno::OPNOTSUPP) {
        return Refused::NotSupported;
    }
    Refused::Kernel(text)
}
