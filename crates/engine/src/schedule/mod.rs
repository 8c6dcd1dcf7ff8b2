//! Which destination a new connection goes to.
//!
//! One small file a scheduler. All walk a service's [`Members`] in IPVS's order, the destination
//! added last first, and the first in that order wins ties.
//!
//! With one CPU the choices are IPVS's, one by one. With several, each CPU reads the cursor or
//! the loads a moment before another's choice may show: as in the kernel, the rules hold over
//! many connections.

mod dh;
mod fo;
mod heaviest;
mod lblc;
mod lblcr;
mod lc;
mod least;
mod members;
pub mod mh;
pub mod near;
mod nq;
mod ovf;
pub mod rows;
mod rr;
mod scheduler;
mod sed;
pub mod sh;
mod sip;
pub mod stateless;
mod twos;
mod wlc;
mod wrr;

pub use members::{Member, Members, NODES_PER_MEMBER, layout, next};
pub use scheduler::Scheduler;
pub use wrr::Step as WrrStep;

use crate::family::Family;
use crate::tables::{FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// What schedulers that hash know of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// The client's [`word`](Family::word).
    client: u32,
    /// That of the address it asks for.
    target: u32,
    /// The client's port.
    port: u32,
}

impl Flow {
    #[inline(always)]
    pub fn of<F: Family>(key: &KeyOf<F>) -> Self {
        let ends = F::endpoints(key);
        Self {
            client: F::word(ends.client),
            target: F::word(ends.virtual_address),
            port: u16::from_be_bytes(ends.client_port) as u32,
        }
    }

    /// What sh and mh hash.
    #[inline(always)]
    fn key(self, flags: Flags) -> u32 {
        let port = if flags.has(Flags::PORT) { self.port } else { 0 };
        port.wrapping_add(self.client)
    }
}

/// Scheduler flags, with the kernel's numbers (IP_VS_SVC_F_SCHED1 and 2) moved down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u32);

impl Flags {
    /// `sh-fallback`, `mh-fallback`.
    pub const FALLBACK: u32 = 1;
    /// `sh-port`, `mh-port`.
    pub const PORT: u32 = 2;

    #[inline(always)]
    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    #[inline(always)]
    pub const fn with(self, flag: u32) -> Self {
        Self(self.0 | flag)
    }
}

/// The destination that a service's scheduler chooses now, if there is one to choose.
#[inline(always)]
pub fn pick<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    service: u32,
) -> Option<u32> {
    let members = tables.service_at(service)?.members();
    match members.scheduler() {
        Scheduler::Rr | Scheduler::Wrr => tables.turn(service, members),
        Scheduler::Lc | Scheduler::Wlc | Scheduler::Sed => tables.walk(members),
        Scheduler::Nq | Scheduler::Fo | Scheduler::Ovf => tables.walk(members),
        Scheduler::Lblc | Scheduler::Lblcr => tables.near(key, service, members),
        _ => tables.hash(key, service, members),
    }
}

/// The choice of a scheduler that takes one destination after another: behind the seam
/// [`Tables::turn`].
#[inline(always)]
pub fn turn<T: Tables>(tables: &T, service: u32, members: Members) -> Option<u32> {
    let service = tables.service_at(service)?;
    match members.scheduler() {
        Scheduler::Wrr => wrr::pick(tables, service, members),
        _ => rr::pick(tables, service, members),
    }
}

/// The choice of a scheduler that asks every destination: behind the seam [`Tables::walk`]. lblc and
/// lblcr have wlc's here.
#[inline(always)]
pub fn walk<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    match members.scheduler() {
        Scheduler::Lc => lc::pick(tables, members),
        Scheduler::Wlc | Scheduler::Lblc | Scheduler::Lblcr => wlc::pick(tables, members),
        Scheduler::Sed => sed::pick(tables, members),
        Scheduler::Nq => nq::pick(tables, members),
        Scheduler::Fo => fo::pick(tables, members),
        Scheduler::Ovf => ovf::pick(tables, members),
        _ => None,
    }
}

/// The choice of a scheduler that asks the packet, or chance: behind the seam
/// [`FamilyTables::hash`].
#[inline(always)]
pub fn hash<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    service: u32,
    members: Members,
) -> Option<u32> {
    let service = tables.service_at(service)?;
    match members.scheduler() {
        Scheduler::Twos => twos::pick(tables, service, members),
        _ => by_flow(tables, members, Flow::of::<F>(key), service.flags()),
    }
}

/// The choice of a scheduler that asks the packet alone.
#[inline(always)]
fn by_flow<T: Tables>(tables: &T, members: Members, flow: Flow, flags: Flags) -> Option<u32> {
    match members.scheduler() {
        Scheduler::Dh => dh::pick(tables, members, flow),
        Scheduler::Sh => rows::pick::<T, sh::Sh>(tables, members, flow.key(flags), flags),
        Scheduler::Mh => rows::pick::<T, mh::Mh>(tables, members, flow.key(flags), flags),
        _ => None,
    }
}

/// No number of a member or destination: what a loop that found none leaves.
const NONE: u32 = u32::MAX;

#[inline(always)]
fn some(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

/// The destination of a member, if it takes connections.
#[inline(always)]
fn takes<T: Tables>(tables: &T, members: Members, index: u32) -> Option<u32> {
    let (weight, destination) = members.member(tables, index)?;
    (weight > 0 && !is_overloaded(tables, destination)).then_some(destination)
}

/// Whether a destination is at its upper threshold.
#[inline(always)]
fn is_overloaded<T: Tables>(tables: &T, destination: u32) -> bool {
    tables
        .load(destination)
        .is_none_or(|load| load.overloaded.load() != 0)
}

/// The kernel's `hash_32` (include/linux/hash.h).
#[inline(always)]
const fn hash_32(word: u32, bits: u32) -> u32 {
    word.wrapping_mul(0x61c8_8647) >> (32 - bits)
}
