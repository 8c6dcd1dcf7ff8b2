//! One program on one interface, and what outlives the daemon of it: a pin in the folder `links`.
//!
//! ```text
//! 2-native   2-generic   2-tc     a BPF link (tcx for tc, from Linux 6.6 on)
//! 2-answers  2-leaving  2-marked  the same as tc's, of programs with other roles
//! 2-tc-filter                     an empty folder: the interface's clsact queue discipline has a
//!                                 filter, which nothing but itself holds
//! ```
//!
//! Either has its program replaced in one step: a packet meets the old one or the new one.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use aya::pin::PinError;
use aya::programs::links::{FdLink, Link, LinkError, LinkOrder, PinnedLink};
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcAttachType, TcHandle, qdisc_add_clsact,
};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, SchedClassifier, XdpMode};
use rustix::net::netdevice::index_to_name;

use crate::error::{Error, chain};
use crate::mode::{Mode, Role};
use crate::programs::Programs;

/// Early, and nobody else's by habit.
pub(crate) const PRIORITY: u16 = 108;
const HANDLE: u16 = 108;
const FILTER: &str = "-filter";

/// Why a program is not where it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Pin(#[from] PinError),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// An attached program's place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hook {
    pub(crate) index: u32,
    pub(crate) role: Role,
    pin: PathBuf,
    is_filter: bool,
}

impl Hook {
    /// All that are in the folder `links`.
    pub(crate) fn all(links: &Path) -> Result<Vec<Self>, Error> {
        let entries = fs::read_dir(links).map_err(|source| Error::Pin {
            path: links.to_owned(),
            source,
        })?;
        Ok(entries
            .flatten()
            .filter_map(|entry| Self::parse(entry.path()))
            .collect())
    }

    /// Puts the program of a role on an interface.
    pub(crate) fn attach(
        programs: &mut Programs,
        links: &Path,
        index: u32,
        role: Role,
    ) -> Result<Self, Failed> {
        let hook = |is_filter: bool| Self {
            index,
            role,
            pin: links.join(format!(
                "{index}-{}{}",
                role.name(),
                if is_filter { FILTER } else { "" }
            )),
            is_filter,
        };
        let link = match role {
            Role::Balance(Mode::Native) => xdp(programs, index, XdpMode::Driver)?,
            Role::Balance(Mode::Generic) => xdp(programs, index, XdpMode::Skb)?,
            _ => match tcx(programs, index, role) {
                Err(error) if is_unknown(&error) => {
                    let hook = hook(true);
                    hook.add_filter(programs.tc(role)?)?;
                    return Ok(hook);
                }
                link => link?,
            },
        };
        let hook = hook(false);
        link.pin(&hook.pin)?;
        Ok(hook)
    }

    /// Loads the program, if it is not yet.
    pub(crate) fn load(&self, programs: &mut Programs) -> Result<(), ProgramError> {
        match self.role {
            Role::Balance(Mode::Native | Mode::Generic) => programs.xdp().map(drop),
            _ => programs.tc(self.role).map(drop),
        }
    }

    /// Puts the program in place of its predecessor.
    pub(crate) fn replace(&self, programs: &mut Programs) -> Result<(), String> {
        let replaced = match self.role {
            Role::Balance(Mode::Native | Mode::Generic) => self.replace_xdp(programs),
            _ if self.is_filter => self.replace_filter(programs),
            _ => self.replace_tcx(programs),
        };
        replaced.map_err(|error| chain(&error))
    }

    /// Takes the program off, if the interface is still there, and forgets it.
    pub(crate) fn detach(&self) -> Result<(), Error> {
        let removed = if self.is_filter {
            if let Err(error) = self.remove_filter() {
                tracing::info!(self.index, %error, "no filter to remove");
            }
            fs::remove_dir(&self.pin)
        } else {
            fs::remove_file(&self.pin)
        };
        removed.map_err(|source| Error::Pin {
            path: self.pin.clone(),
            source,
        })
    }

    fn parse(pin: PathBuf) -> Option<Self> {
        let name = pin.file_name()?.to_str()?;
        let (name, is_filter) = match name.strip_suffix(FILTER) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (index, role) = name.split_once('-')?;
        let role = Role::ALL.into_iter().find(|known| known.name() == role)?;
        Some(Self {
            index: index.parse().ok()?,
            role,
            is_filter,
            pin,
        })
    }

    fn replace_xdp(&self, programs: &mut Programs) -> Result<(), Failed> {
        let program = programs.xdp()?;
        let link = XdpLink::try_from(FdLink::from(PinnedLink::from_pin(&self.pin)?))?;
        let id = program.attach_to_link(link)?;
        // The pin keeps it; this descriptor may go.
        Ok(program.take_link(id).map(drop)?)
    }

    fn replace_tcx(&self, programs: &mut Programs) -> Result<(), Failed> {
        let program = programs.tc(self.role)?;
        let link = SchedClassifierLink::try_from(FdLink::from(PinnedLink::from_pin(&self.pin)?))?;
        let id = program.attach_to_link(link)?;
        Ok(program.take_link(id).map(drop)?)
    }

    fn replace_filter(&self, programs: &mut Programs) -> Result<(), Failed> {
        let program = programs.tc(self.role)?;
        let filter = Filter::of(self.role).on(&name(self.index)?)?;
        let id = program.attach_to_link(filter)?;
        Ok(program.take_link(id).map(mem::forget)?)
    }

    /// The folder is there first: a filter without one would be found by nobody.
    fn add_filter(&self, program: &mut SchedClassifier) -> Result<(), Failed> {
        let name = name(self.index)?;
        fs::create_dir(&self.pin)?;
        let added = Filter::of(self.role).add(program, &name);
        if added.is_err() {
            let _ = fs::remove_dir(&self.pin);
        }
        // Dropped, it would take the filter away.
        added.map(mem::forget)
    }

    fn remove_filter(&self) -> Result<(), String> {
        let name = name(self.index).map_err(|error| error.to_string())?;
        Filter::of(self.role).remove(&name)
    }
}

/// A filter's place among those of an interface's clsact queue discipline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    pub(crate) direction: TcAttachType,
    pub(crate) priority: u16,
    pub(crate) handle: TcHandle,
}

impl Filter {
    fn of(role: Role) -> Self {
        Self {
            direction: direction(role),
            priority: PRIORITY,
            handle: handle(role),
        }
    }

    pub(crate) fn add(
        self,
        program: &mut SchedClassifier,
        name: &str,
    ) -> Result<SchedClassifierLink, Failed> {
        // It may be there, and what it lacks then, the filter tells.
        if let Err(error) = qdisc_add_clsact(name) {
            tracing::debug!(name, %error, "clsact");
        }
        let options = TcAttachOptions::Netlink(NlOptions {
            priority: self.priority,
            handle: self.handle,
            classid: None,
        });
        let id = program.attach_with_options(name, self.direction, options)?;
        Ok(program.take_link(id)?)
    }

    /// The queue discipline stays: by now others may have filters there.
    pub(crate) fn remove(self, name: &str) -> Result<(), String> {
        let filter = self.on(name).map_err(|error| error.to_string())?;
        Link::detach(filter).map_err(|error| chain(&error))
    }

    fn on(self, name: &str) -> io::Result<SchedClassifierLink> {
        SchedClassifierLink::attached(name, self.direction, self.priority, self.handle, None)
    }
}

fn xdp(programs: &mut Programs, index: u32, mode: XdpMode) -> Result<FdLink, Failed> {
    let program = programs.xdp()?;
    let id = program.attach_to_if_index(index, mode)?;
    Ok(FdLink::try_from(program.take_link(id)?)?)
}

/// Ahead of others, where XDP would be as well.
fn tcx(programs: &mut Programs, index: u32, role: Role) -> Result<FdLink, Failed> {
    let program = programs.tc(role)?;
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    let name = name(index)?;
    let id = program.attach_with_options(&name, direction(role), first)?;
    Ok(FdLink::try_from(program.take_link(id)?)?)
}

fn direction(role: Role) -> TcAttachType {
    match role {
        Role::Leaving | Role::Marked => TcAttachType::Egress,
        Role::Balance(_) | Role::Answers => TcAttachType::Ingress,
    }
}

fn handle(role: Role) -> TcHandle {
    match role {
        Role::Answers => TcHandle::new(0, HANDLE + 1),
        Role::Balance(_) | Role::Leaving | Role::Marked => TcHandle::new(0, HANDLE),
    }
}

/// Whether the kernel knows no such link: before Linux 6.6.
pub(crate) fn is_unknown(error: &Failed) -> bool {
    match error {
        Failed::Program(ProgramError::SyscallError(error)) => {
            error.io_error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error())
        }
        _ => false,
    }
}

fn name(index: u32) -> io::Result<String> {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    Ok(index_to_name(socket, index)?)
}
