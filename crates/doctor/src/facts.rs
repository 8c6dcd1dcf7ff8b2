//! What is known of a machine.

mod director;
mod interface;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use rlvs_network::marks::DEVICE;
use rlvs_realserver::Report;

use crate::Sysctls;
use crate::gather::{self, Error};

pub use director::{Destination, Director, Running, Service};
pub use interface::{Interface, Xdp, XdpMode};

/// All that checks decide over.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub interfaces: Vec<Interface>,
    pub sysctls: Sysctls,
    pub side: Side,
}

/// What the machine is to be.
#[derive(Clone, Debug)]
pub enum Side {
    Director(Box<DirectorFacts>),
    RealServer(RealServerFacts),
}

/// What only a director's checks look at.
#[derive(Clone, Debug, Default)]
pub struct DirectorFacts {
    pub kernel: Kernel,
    /// None: the module is not loaded.
    pub ip_vs: Option<IpVs>,
    pub director: Director,
}

/// What only a real server's checks look at.
#[derive(Clone, Debug, Default)]
pub struct RealServerFacts {
    /// None: no virtual address is known.
    pub report: Option<Report>,
    pub default_routes: Vec<DefaultRoute>,
}

/// The kernel and what it can do.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// As `uname -r`.
    pub release: String,
    /// Why programs cannot be loaded.
    pub bpf: Option<String>,
    /// A BPF file system is mounted.
    pub bpffs: bool,
    /// The kernel describes its types.
    pub btf: bool,
}

/// The kernel's IPVS in this network namespace.
#[derive(Clone, Debug, Default)]
pub struct IpVs {
    pub services: usize,
    /// The `ipvsadm` of IPVS itself, which is not a link to this program.
    pub tool: Option<PathBuf>,
}

/// A way out of the network.
#[derive(Clone, Debug)]
pub struct DefaultRoute {
    pub interface: u32,
    pub gateway: IpAddr,
    pub metric: Option<u32>,
    /// The greatest TCP segment that peers are asked to send.
    pub advmss: Option<u32>,
}

/// Looks at this machine as a director.
pub fn director() -> Result<Facts, Error> {
    gather::director()
}

/// Looks at this machine as a real server for `vips`; those that were brought up where none is
/// given.
pub fn real_server(vips: BTreeSet<IpAddr>) -> Result<Facts, Error> {
    gather::real_server(vips)
}

impl Default for Side {
    fn default() -> Self {
        Self::Director(Box::default())
    }
}

impl Facts {
    /// The interfaces that frames may come in by; not the one that marked packets are handed to.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces
            .iter()
            .filter(|interface| interface.up && interface.ethernet && !interface.loopback)
            .filter(|interface| interface.name != DEVICE)
    }

    /// Those of them that the director's program is on or belongs on.
    pub(crate) fn served<'a>(
        &'a self,
        director: &'a Director,
    ) -> impl Iterator<Item = &'a Interface> {
        self.segments().filter(move |segment| match director {
            Director::Running(running) => !running.leaves_out(&segment.name),
            _ => true,
        })
    }

    pub(crate) fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }
}
