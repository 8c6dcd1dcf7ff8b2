//! The programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rlvs_engine::Tables;
use rlvs_engine::tables::interface;
use rustix::io::Errno;

use crate::error::{Error, chain};
use crate::hook::{Failed, Hook};
use crate::mode::{Mode, Role};
use crate::programs::Programs;
use crate::tables::KernelTables;

/// The loopback interface's index, in every network namespace (include/net/flow.h).
const LOOPBACK: u32 = 1;

/// The interfaces that a program is on.
#[derive(Debug)]
pub struct Interfaces {
    links: PathBuf,
    tables: Arc<KernelTables>,
    /// While one mode replaces another, an interface has both.
    attached: BTreeMap<(u32, Role), Hook>,
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
            .find(|&mode| self.is_attached(index, Role::Balance(mode)))
    }

    pub fn indexes(&self) -> impl Iterator<Item = u32> {
        let all: BTreeSet<u32> = self.attached.keys().map(|&(index, _)| index).collect();
        all.into_iter()
    }

    /// Loads the programs that [`Interfaces::adopt`] needs, so that it takes no time.
    pub(crate) fn prepare(&self, programs: &mut Programs) -> Result<(), Error> {
        for hook in Hook::all(&self.links)? {
            hook.load(programs).map_err(Error::Program)?;
        }
        Ok(())
    }

    /// Puts the programs in place of an earlier daemon's wherever those are attached. What
    /// interfaces that are gone had is removed.
    pub(crate) fn adopt(&mut self, programs: &mut Programs) -> Result<(), Error> {
        for hook in Hook::all(&self.links)? {
            let index = hook.index;
            match hook.replace(programs) {
                Ok(()) => {
                    self.attached.insert((index, hook.role), hook);
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
            .filter(|&it| self.is_attached(index, Role::Balance(it)));
        match there.find(|old| old.excludes(mode)) {
            Some(old) => self.exchange(programs, index, name, [old, mode])?,
            None => self.put(programs, index, name, Role::Balance(mode))?,
        }
        let mut others = Mode::ALL.into_iter().filter(|&other| other != mode);
        others
            .try_for_each(|other| self.take(index, Role::Balance(other)))
            .map_err(|error| Refused::Kernel(error.to_string()))
    }

    /// Attaches the program of another role to an interface, or takes it off.
    pub(crate) fn set_role(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        role: Role,
        wanted: bool,
    ) -> Result<(), Refused> {
        match wanted {
            true => self.put(programs, index, name, role),
            false => self
                .take(index, role)
                .map_err(|error| Refused::Kernel(error.to_string())),
        }
    }

    /// Tells the packet path the interface's own MAC address. Loopback's, which is all zeros, is
    /// what an empty slot says.
    pub fn set_address(&self, index: u32, address: [u8; 6]) {
        if index == LOOPBACK {
            return;
        }
        if let Some(slot) = self.tables.interface(interface::slot(index)) {
            slot.store(interface::word(index, address));
        }
    }

    /// Takes the program off an interface, which may be gone already.
    pub fn detach(&mut self, index: u32) -> Result<(), Error> {
        if self.indexes().all(|other| other != index) {
            return Ok(());
        }
        if let Some(slot) = self.tables.interface(interface::slot(index))
            && index != LOOPBACK
        {
            slot.store(0);
        }
        Role::ALL
            .into_iter()
            .try_for_each(|role| self.take(index, role))
    }

    /// Where one mode excludes the other, tc serves in between.
    fn exchange(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        modes: [Mode; 2],
    ) -> Result<(), Refused> {
        let [old, new] = modes.map(Role::Balance);
        let between = Role::Balance(Mode::Tc);
        self.put(programs, index, name, between)?;
        let taken = self.take(index, old);
        taken.map_err(|error| Refused::Kernel(error.to_string()))?;
        let outcome = self.put(programs, index, name, new);
        if outcome.is_err() {
            self.put(programs, index, name, old)?;
            let taken = self.take(index, between);
            taken.map_err(|error| Refused::Kernel(error.to_string()))?;
        }
        outcome
    }

    fn put(
        &mut self,
        programs: &mut Programs,
        index: u32,
        name: &str,
        role: Role,
    ) -> Result<(), Refused> {
        if self.is_attached(index, role) {
            return Ok(());
        }
        let hook = Hook::attach(programs, &self.links, index, role)
            .map_err(|error| refused(name, &error))?;
        self.attached.insert((index, role), hook);
        Ok(())
    }

    fn take(&mut self, index: u32, role: Role) -> Result<(), Error> {
        let hook = self.attached.remove(&(index, role));
        hook.map_or(Ok(()), |hook| hook.detach())
    }

    /// Whether an interface has the program of a role.
    pub fn is_attached(&self, index: u32, role: Role) -> bool {
        self.attached.contains_key(&(index, role))
    }

    fn neighbour_in_slot(&self, index: u32) -> Option<u32> {
        let slot = interface::slot(index);
        let is_other = |&other: &u32| other != index && interface::slot(other) == slot;
        match index {
            LOOPBACK => None,
            _ => self.indexes().filter(|&it| it != LOOPBACK).find(is_other),
        }
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
