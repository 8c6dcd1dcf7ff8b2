//! Probes of health checks by way of virtual addresses: programs on the interfaces towards real
//! servers, and which sockets they serve (`rlvs_engine::real_path`).
//!
//! They are the daemon's: nothing is pinned, and with it they are gone. Only filters (before Linux
//! 6.6) outlive one that was killed; they find nothing to do, and the next daemon removes them.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::maps::{HashMap, MapData, MapError};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader};
use rlvs_engine::destination::Tunnel;
use rlvs_engine::real_path::Way;

use crate::error::{Error, chain};
use crate::hook::{Failed, Filter, PRIORITY, is_unknown};
use crate::plane::PATH_OBJECT;
use crate::tables::hash;

const WAYS: &str = "WAYS";
const LEAVE: &str = "rlvs_path_leave";
const ARRIVE: &str = "rlvs_path_arrive";

/// Behind the programs that balance, which have taken what is theirs by then.
const FILTERS: [Filter; 2] = [filter(TcAttachType::Egress), filter(TcAttachType::Ingress)];
/// Sockets that have ended are remembered until so many others have: the kernel still sends for
/// them what ends a connection.
const LINGERING: usize = 1 << 14;

/// A [`Way`] as the system call copies it.
pub type Words = [u64; size_of::<Way>() / 8];

/// The way of a socket's packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Path {
    /// Whom the socket is connected with: the real server, at the virtual port.
    pub server: SocketAddr,
    /// Of the same IP version.
    pub virtual_address: IpAddr,
    pub protocol: u8,
    /// None: by direct routing.
    pub tunnel: Option<Tunnel>,
}

/// The programs, where they are.
#[derive(Debug)]
pub struct RealPath {
    ebpf: Ebpf,
    sockets: Arc<Sockets>,
    attached: BTreeMap<u32, [SchedClassifierLink; 2]>,
}

/// Sockets whose packets go by way of virtual addresses.
#[derive(Debug)]
pub struct Sockets(Mutex<Known>);

#[derive(Debug)]
struct Known {
    ways: HashMap<MapData, u64, Words>,
    ended: VecDeque<u64>,
}

impl RealPath {
    pub fn load() -> Result<Self, Error> {
        let mut ebpf = EbpfLoader::new().load(PATH_OBJECT)?;
        // Before the map is taken out: programs are loaded with its descriptor.
        for name in [LEAVE, ARRIVE] {
            program(&mut ebpf, name)?.load()?;
        }
        let ways = hash(&mut ebpf, WAYS)?;
        Ok(Self {
            ebpf,
            sockets: Arc::new(Sockets(Mutex::new(Known {
                ways,
                ended: VecDeque::new(),
            }))),
            attached: BTreeMap::new(),
        })
    }

    pub fn sockets(&self) -> &Arc<Sockets> {
        &self.sockets
    }

    /// Has the programs on these interfaces, by index and name, and on no others; where they cannot
    /// be, and why.
    pub fn follow(&mut self, interfaces: &BTreeMap<u32, String>) -> BTreeMap<u32, String> {
        self.attached
            .retain(|index, _| interfaces.contains_key(index));
        let mut refused = BTreeMap::new();
        for (&index, name) in interfaces {
            if self.attached.contains_key(&index) {
                continue;
            }
            match self.attach(name) {
                Ok(links) => drop(self.attached.insert(index, links)),
                Err(error) => drop(refused.insert(index, chain(&error))),
            }
        }
        refused
    }

    fn attach(&mut self, name: &str) -> Result<[SchedClassifierLink; 2], Failed> {
        let [leave, arrive] = FILTERS;
        Ok([
            put(program(&mut self.ebpf, LEAVE)?, name, leave)?,
            put(program(&mut self.ebpf, ARRIVE)?, name, arrive)?,
        ])
    }
}

impl Sockets {
    /// From now on the packets of the socket with this cookie go so.
    pub fn open(&self, cookie: u64, path: &Path) -> Result<(), Error> {
        self.lock()
            .ways
            .insert(cookie, words(path), 0)
            .map_err(error)
    }

    /// The socket is closed; whether it had an answer from the virtual address.
    pub fn close(&self, cookie: u64) -> bool {
        let mut known = self.lock();
        let answered = known
            .ways
            .get(&cookie, 0)
            .is_ok_and(|words| answered(&words));
        known.ended.push_back(cookie);
        while known.ended.len() > LINGERING {
            let over = known.ended.pop_front().map(|over| known.ways.remove(&over));
            if let Some(Err(error)) = over {
                tracing::debug!(%error, "a probe's socket was not known");
            }
        }
        answered
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what a daemon that was killed has left on these interfaces.
pub fn remove_leftovers<'a>(names: impl IntoIterator<Item = &'a str>) {
    if KernelVersion::current().is_ok_and(|kernel| kernel >= TCX) {
        return;
    }
    for name in names {
        for filter in FILTERS {
            if filter.remove(name).is_ok() {
                tracing::info!(name, "an earlier daemon's programs for checks are removed");
            }
        }
    }
}

/// The first with links in traffic control.
const TCX: KernelVersion = KernelVersion::new(6, 6, 0);

const fn filter(direction: TcAttachType) -> Filter {
    Filter {
        direction,
        priority: PRIORITY + 1,
        handle: TcHandle::new(0, PRIORITY + 1),
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, ProgramError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
    program.try_into()
}

fn put(
    program: &mut SchedClassifier,
    name: &str,
    filter: Filter,
) -> Result<SchedClassifierLink, Failed> {
    let last = TcAttachOptions::TcxOrder(LinkOrder::last());
    let attached = program.attach_with_options(name, filter.direction, last);
    let id = match attached.map_err(Failed::from) {
        Err(error) if is_unknown(&error) => {
            // One that is left may be in its place.
            let _ = filter.remove(name);
            return filter.add(program, name);
        }
        id => id?,
    };
    Ok(program.take_link(id)?)
}

fn error(source: MapError) -> Error {
    Error::Map { name: WAYS, source }
}

/// What the programs are told of a socket.
pub fn words(path: &Path) -> Words {
    let way = Way::new(
        path.server,
        path.virtual_address,
        path.protocol,
        path.tunnel,
    );
    // SAFETY: it consists of words, with nothing between or behind them: its size is theirs.
    unsafe { mem::transmute::<Way, Words>(way) }
}

/// See [`Way`]: its last word.
fn answered(words: &Words) -> bool {
    let [.., last] = words;
    last >> 32 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_as_the_programs_read_it() {
        let path = Path {
            server: "192.0.2.1:80".parse().unwrap(),
            virtual_address: "198.51.100.1".parse().unwrap(),
            protocol: 6,
            tunnel: Some(Tunnel::new(Tunnel::GUE, 0, 6080)),
        };
        let mut words = words(&path);
        assert_eq!(words[16].to_ne_bytes()[..4], [198, 51, 100, 1]);
        assert_eq!(words[18], 6);
        assert!(!answered(&words));
        words[18] |= 1 << 32;
        assert!(answered(&words));
    }
}
