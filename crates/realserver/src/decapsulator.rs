//! The program that takes packets out of tunnels: loaded, on interfaces, pinned.
//!
//! Linux 6.6 and later give links (tcx), whose pins keep the program on the interface. Before,
//! the filter of a `clsact` qdisc does so by itself, and the pin of the program only says so.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::net::IpAddr;

use aya::programs::SchedClassifier;
use aya::{Ebpf, EbpfLoader};
use rlvs_arrival::Count;

use crate::Error;
use crate::arrival::{Directors, Tunnels};
use crate::hook::{self, Hook};
use crate::pins::{COUNTS, Pins, fill_directors, fill_vips, fill_word};

/// Raised whenever the layout or meaning of a pinned map changes.
const LAYOUT: &str = "tunnels-v1";
const PROGRAM: &str = "rlvs_decapsulate";

/// The program in the kernel, of one network namespace.
#[derive(Debug)]
pub(crate) struct Decapsulator {
    pins: Pins,
}

/// What it is to do.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) tunnels: &'a Tunnels,
    pub(crate) directors: &'a Directors,
    pub(crate) vips: &'a BTreeSet<IpAddr>,
}

impl Decapsulator {
    pub(crate) fn new(cookie: u64) -> Result<Self, Error> {
        let pins = Pins::new(cookie, LAYOUT)?;
        Ok(Self { pins })
    }

    /// Puts a program with this task on interfaces, each in place of its predecessor in one step,
    /// and takes it off all others. What was counted goes on.
    pub(crate) fn install(&self, task: &Task<'_>, interfaces: &[(u32, &str)]) -> Result<(), Error> {
        self.pins.create()?;
        let links = self.pins.links();
        let loaded = load(&self.pins, task);
        let mut ebpf =
            loaded.map_err(|error| Error::kernel("loading the program for tunnels", &*error))?;
        for hook in hook::pinned(&links) {
            if !interfaces.iter().any(|(index, _)| *index == hook.index) {
                hook.detach(PROGRAM)?;
            }
        }
        for (index, name) in interfaces {
            let attached =
                program(&mut ebpf).and_then(|program| Hook::attach(program, &links, *index, name));
            attached.map_err(|error| Error::kernel(format!("attaching to {name}"), &*error))?;
        }
        Ok(())
    }

    /// Takes the program off all interfaces and forgets what it counted.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for hook in self.hooks() {
            hook.detach(PROGRAM)?;
        }
        self.pins.remove()
    }

    /// The interfaces it was put on.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        hook::pinned(&self.pins.links())
    }

    /// What it counted.
    pub(crate) fn counts(&self) -> Result<Vec<(Count, u64)>, Error> {
        let counts = self.pins.counts(Count::ALL.len())?;
        Ok(Count::ALL.iter().copied().zip(counts).collect())
    }
}

fn load(pins: &Pins, task: &Task<'_>) -> Result<Ebpf, Box<dyn StdError>> {
    let mut loader = EbpfLoader::new();
    loader.map_pin_path(COUNTS, pins.map(COUNTS));
    let mut ebpf = loader.load(rlvs_plane::REAL_SERVER_OBJECT)?;
    fill_word(&mut ebpf, "SETTINGS", task.tunnels.settings().0)?;
    fill_vips(&mut ebpf, task.vips)?;
    fill_directors(&mut ebpf, task.directors)?;
    program(&mut ebpf)?.load()?;
    Ok(ebpf)
}

fn program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, Box<dyn StdError>> {
    let program = ebpf.program_mut(PROGRAM).ok_or("it is not in the object")?;
    Ok(program.try_into()?)
}
