//! A program at the ingress of an interface.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact,
    qdisc_detach_program,
};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::util::KernelVersion;

use crate::Error;
use crate::pins::unpin;

/// Behind what administrators add by hand, in front of what gets its place from the kernel.
pub(crate) const PRIORITY: u16 = 0xbf00;
const HANDLE: TcHandle = TcHandle::new(0, 1);

/// How a program is held there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// By a link.
    Tcx,
    /// By a filter of the qdisc `clsact`.
    Clsact,
}

/// One interface with a program.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) index: u32,
    pub(crate) way: Way,
    pin: PathBuf,
}

impl Way {
    const ALL: [Self; 2] = [Self::Tcx, Self::Clsact];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }

    fn of_this_kernel() -> Self {
        match KernelVersion::current() {
            Ok(version) if version >= KernelVersion::new(6, 6, 0) => Self::Tcx,
            _ => Self::Clsact,
        }
    }
}

/// The hooks whose pins are in `links`.
pub(crate) fn pinned(links: &Path) -> Vec<Hook> {
    let entries = fs::read_dir(links).into_iter().flatten().flatten();
    entries.filter_map(|entry| parse(entry.path())).collect()
}

fn parse(pin: PathBuf) -> Option<Hook> {
    let (index, way) = pin.file_name()?.to_str()?.split_once('-')?;
    let way = Way::ALL.into_iter().find(|known| known.name() == way)?;
    Some(Hook {
        index: index.parse().ok()?,
        way,
        pin,
    })
}

impl Hook {
    /// Puts `program` on an interface, or in place of its predecessor there.
    pub(crate) fn attach(
        program: &mut SchedClassifier,
        links: &Path,
        index: u32,
        name: &str,
    ) -> Outcome {
        let way = Way::of_this_kernel();
        let pin = links.join(format!("{index}-{}", way.name()));
        match way {
            Way::Tcx if pin.exists() => replace(program, &pin),
            Way::Tcx => link(program, &pin, name),
            Way::Clsact => filter(program, &pin, name),
        }
    }

    /// Takes the program named `program` off, be the interface there or not.
    pub(crate) fn detach(&self, program: &str) -> Result<(), Error> {
        if let (Way::Clsact, Some(name)) = (self.way, self.interface()) {
            match qdisc_detach_program(&name, TcAttachType::Ingress, program) {
                Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::kernel(format!("detaching from {name}"), &error)),
                Ok(()) => {}
            }
        }
        unpin(&self.pin)
    }

    /// Whether a link's program is on its interface.
    pub(crate) fn is_linked(&self) -> bool {
        let look = || -> Result<bool, Box<dyn std::error::Error>> {
            let name = self.interface().ok_or("it is gone")?;
            let ours = FdLink::from(PinnedLink::from_pin(&self.pin)?).info()?;
            let (_, there) = SchedClassifier::query_tcx(&name, TcAttachType::Ingress)?;
            Ok(there
                .iter()
                .any(|program| program.id() == ours.program_id()))
        };
        look().unwrap_or(false)
    }

    fn interface(&self) -> Option<String> {
        let name = rustix::net::netdevice::index_to_name;
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            None,
        );
        name(socket.ok()?, self.index).ok()
    }
}

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

fn replace(program: &mut SchedClassifier, pin: &Path) -> Outcome {
    let link = SchedClassifierLink::try_from(FdLink::from(PinnedLink::from_pin(pin)?))?;
    let id = program.attach_to_link(link)?;
    // The pin keeps it; this descriptor may go.
    drop(program.take_link(id)?);
    Ok(())
}

fn link(program: &mut SchedClassifier, pin: &Path, name: &str) -> Outcome {
    let order = TcAttachOptions::TcxOrder(LinkOrder::default());
    let id = program.attach_with_options(name, TcAttachType::Ingress, order)?;
    FdLink::try_from(program.take_link(id)?)?.pin(pin)?;
    Ok(())
}

/// A filter stays where it is: the one that is there is changed, else a new one is made.
fn filter(program: &mut SchedClassifier, pin: &Path, name: &str) -> Outcome {
    // One that is there is as good.
    let _ = qdisc_add_clsact(name);
    let old = SchedClassifierLink::attached(name, TcAttachType::Ingress, PRIORITY, HANDLE, None)?;
    let id = match program.attach_to_link(old) {
        Ok(id) => id,
        Err(_) => create(program, name)?,
    };
    // It must not end with this process.
    std::mem::forget(program.take_link(id)?);
    unpin(pin)?;
    program.pin(pin)?;
    Ok(())
}

fn create(
    program: &mut SchedClassifier,
    name: &str,
) -> Result<aya::programs::tc::SchedClassifierLinkId, ProgramError> {
    let options = NlOptions {
        priority: PRIORITY,
        handle: HANDLE,
        classid: None,
    };
    program.attach_with_options(
        name,
        TcAttachType::Ingress,
        TcAttachOptions::Netlink(options),
    )
}
