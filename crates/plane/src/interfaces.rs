//! The program on interfaces.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{Xdp, XdpMode};
use rlvs_engine::Tables;
use rlvs_engine::tables::interface;

use crate::error::Error;
use crate::tables::KernelTables;

/// How the program sits on an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the kernel's general receive path.
    Generic,
}

/// The interfaces that the program is on.
#[derive(Debug)]
pub struct Interfaces {
    links: PathBuf,
    tables: Arc<KernelTables>,
    attached: BTreeMap<u32, Attached>,
}

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attached {
    pub mode: Mode,
    pin: PathBuf,
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
    #[error("the kernel refused: {0}")]
    Kernel(String),
}

impl Mode {
    const ALL: [Self; 2] = [Self::Native, Self::Generic];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }

    const fn xdp(self) -> XdpMode {
        match self {
            Self::Native => XdpMode::Driver,
            Self::Generic => XdpMode::Skb,
        }
    }
}

impl Interfaces {
    pub(crate) fn new(links: PathBuf, tables: Arc<KernelTables>) -> Self {
        Self {
            links,
            tables,
            attached: BTreeMap::new(),
        }
    }

    pub fn attached(&self, index: u32) -> Option<&Attached> {
        self.attached.get(&index)
    }

    pub fn indexes(&self) -> impl Iterator<Item = u32> {
        self.attached.keys().copied()
    }

    /// Puts `program` in place of an earlier daemon's wherever that is attached. Links of
    /// interfaces that are gone are removed.
    pub(crate) fn adopt(&mut self, program: &mut Xdp) -> Result<(), Error> {
        for (index, mode, pin) in pins(&self.links)? {
            match replace(&pin, program) {
                Ok(()) => {
                    self.attached.insert(index, Attached { mode, pin });
                }
                Err(reason) => {
                    tracing::info!(index, reason, "an interface is gone since the last run");
                    unlink(&pin)?;
                }
            }
        }
        Ok(())
    }

    /// Attaches `program` to an interface.
    pub fn attach(
        &mut self,
        program: &mut Xdp,
        index: u32,
        name: &str,
        mode: Mode,
    ) -> Result<(), Refused> {
        if let Some(other) = self.neighbour_in_slot(index) {
            tracing::warn!(name, index, other, "interface indexes collide");
            return Err(Refused::IndexTaken { index });
        }
        let pin = self.links.join(format!("{index}-{}", mode.name()));
        let link = program
            .attach_to_if_index(index, mode.xdp())
            .and_then(|id| program.take_link(id))
            .map_err(|error| refused(name, &error))?;
        let link = FdLink::try_from(link).map_err(|error| Refused::Kernel(error.to_string()))?;
        link.pin(&pin)
            .map_err(|error| Refused::Kernel(error.to_string()))?;
        self.attached.insert(index, Attached { mode, pin });
        Ok(())
    }

    /// Tells the packet path the interface's own MAC address.
    pub fn set_address(&self, index: u32, address: [u8; 6]) {
        if let Some(slot) = self.tables.interface(interface::slot(index)) {
            slot.store(interface::word(index, address));
        }
    }

    /// Takes the program off an interface, which may be gone already.
    pub fn detach(&mut self, index: u32) -> Result<(), Error> {
        let Some(attached) = self.attached.remove(&index) else {
            return Ok(());
        };
        if let Some(slot) = self.tables.interface(interface::slot(index)) {
            slot.store(0);
        }
        unlink(&attached.pin)
    }

    fn neighbour_in_slot(&self, index: u32) -> Option<u32> {
        let slot = interface::slot(index);
        self.indexes()
            .find(|&other| other != index && interface::slot(other) == slot)
    }
}

fn refused(name: &str, error: &aya::programs::ProgramError) -> Refused {
    let text = chain(error);
    if text.contains("Device or resource busy") || text.contains("os error 16") {
        return Refused::Occupied {
            name: name.to_owned(),
        };
    }
    Refused::Kernel(text)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Index, mode and path of every pinned link.
fn pins(links: &Path) -> Result<Vec<(u32, Mode, PathBuf)>, Error> {
    let entries = fs::read_dir(links).map_err(|source| Error::Pin {
        path: links.to_owned(),
        source,
    })?;
    Ok(entries
        .flatten()
        .filter_map(|entry| parse(entry.path()))
        .collect())
}

fn parse(pin: PathBuf) -> Option<(u32, Mode, PathBuf)> {
    let (index, mode) = pin.file_name()?.to_str()?.split_once('-')?;
    let mode = Mode::ALL.into_iter().find(|known| known.name() == mode)?;
    Some((index.parse().ok()?, mode, pin))
}

/// Swaps the program of a pinned link, in one step.
fn replace(pin: &Path, program: &mut Xdp) -> Result<(), String> {
    let link = PinnedLink::from_pin(pin).map_err(|error| chain(&error))?;
    let link = XdpLink::try_from(FdLink::from(link)).map_err(|error| chain(&error))?;
    let id = program
        .attach_to_link(link)
        .map_err(|error| chain(&error))?;
    // The pin keeps it; this descriptor may go.
    program
        .take_link(id)
        .map(drop)
        .map_err(|error| chain(&error))
}

fn unlink(pin: &Path) -> Result<(), Error> {
    fs::remove_file(pin).map_err(|source| Error::Pin {
        path: pin.to_owned(),
        source,
    })
}
