//! The tables as eBPF maps. Their lengths here are least ones: the loader sets the real ones.

mod families;

use core::ffi::c_void;
use core::ops::ControlFlow;

use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_coarse_ns, bpf_loop};
use aya_ebpf::macros::btf_map;
use rlvs_engine::call_id::CallId;
use rlvs_engine::connection::{Bucket, Meta};
use rlvs_engine::destination::{Destination, Load};
use rlvs_engine::fragment::{Draft, Trail};
use rlvs_engine::frame::{Brief, MOST_MOVED};
use rlvs_engine::lease::Local;
use rlvs_engine::locality::{self, Locality, Site};
use rlvs_engine::reason::{Event, ROOM, Reason};
use rlvs_engine::schedule::{self, Members, near};
use rlvs_engine::service::{Service, ServiceKey, filter};
use rlvs_engine::settings::{Settings, TICK_SHIFT};
use rlvs_engine::statistics::{Counters, bump};
use rlvs_engine::tables::interface;
use rlvs_engine::tcp::From;
use rlvs_engine::{Family, Tables, V4, V6, follow, marked};
use rlvs_word::Shared64;

pub(crate) const SHARED: usize = BPF_F_MMAPABLE as usize;

/// What the others have in them, for daemons to come: a length, and a text.
#[btf_map]
static LAYOUT: Array<[u64; 1024], 1, SHARED> = Array::new();
#[btf_map]
static SETTINGS: Array<Settings, 1, SHARED> = Array::new();
#[btf_map]
static FILTER: Array<Shared64, { filter::WORDS as usize }, SHARED> = Array::new();
#[btf_map]
static INTERFACES: Array<Shared64, { interface::SLOTS as usize }, SHARED> = Array::new();
#[btf_map]
static SERVICES: Array<Service, 1, SHARED> = Array::new();
#[btf_map]
static DESTINATIONS: Array<Destination, 1, SHARED> = Array::new();
#[btf_map]
static LOADS: Array<Load, 1, SHARED> = Array::new();
#[btf_map]
static LOCALS: Array<Local, { Local::MOST as usize }, SHARED> = Array::new();
#[btf_map]
static NODES: Array<Shared64, 1, SHARED> = Array::new();
#[btf_map]
static COUNTERS: Array<Counters, 1, SHARED> = Array::new();
/// Not for packets: what the daemon takes off the counters, and what it keeps of earlier ones.
#[btf_map]
static BASES: Array<Counters, 1, SHARED> = Array::new();
#[btf_map]
static REASONS: Array<Shared64, { ROOM as usize }, SHARED> = Array::new();
#[btf_map]
static CONNECTIONS4: Array<Bucket<<V4 as Family>::Key>, 1, SHARED> = Array::new();
#[btf_map]
static CONNECTIONS6: Array<Bucket<<V6 as Family>::Key>, 1, SHARED> = Array::new();
#[btf_map]
static DISPLACED4: Array<Shared64, 1, SHARED> = Array::new();
#[btf_map]
static DISPLACED6: Array<Shared64, 1, SHARED> = Array::new();
#[btf_map]
static INDEX4: HashMap<ServiceKey<<V4 as Family>::Address>, u32, 1, GROWING> = HashMap::new();
#[btf_map]
static INDEX6: HashMap<ServiceKey<<V6 as Family>::Address>, u32, 1, GROWING> = HashMap::new();
#[btf_map]
static LOCALITIES: HashMap<Site, Locality, { locality::ROOM as usize }, GROWING> = HashMap::new();
/// Memory is taken when it is needed: there is room for much that few have.
const GROWING: usize = BPF_F_NO_PREALLOC as usize;
/// What a new one begins as; nobody writes to it.
#[btf_map]
static NOWHERE: Array<Locality, 1> = Array::new();
#[btf_map]
static FRAGMENTS4: LruHashMap<<V4 as Family>::Key, Trail, 1> = LruHashMap::new();
#[btf_map]
static FRAGMENTS6: LruHashMap<<V6 as Family>::Key, Trail, 1> = LruHashMap::new();
#[btf_map]
static CALL_IDS: LruHashMap<u64, CallId, 1> = LruHashMap::new();
/// The one that is read.
#[btf_map]
static CALL_ID: PerCpuArray<CallId, 1> = PerCpuArray::new();
#[btf_map]
static DRAFTS4: Array<Draft<V4>, MOST_CPUS> = Array::new();
#[btf_map]
static DRAFTS6: Array<Draft<V6>, MOST_CPUS> = Array::new();

/// For what one stage hands to the next: a call chain has but 512 bytes of stack.
#[btf_map]
static SCRATCH: Array<[u64; SCRATCH_WORDS], { MOST_CPUS * PLACES }> = Array::new();

/// A tuple of IPv6 with room to spare, in a cache line.
const SCRATCH_WORDS: usize = 8;
const MOST_CPUS: usize = 1024;

/// Whose each CPU's places are: a stage may be at work while it calls the next.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Begin = 0,
    End = 1,
    Find = 2,
    Route = 3,
    Lease = 4,
    /// Of a frame whose VLAN tags are off, until it leaves.
    Tags = 5,
}
const PLACES: usize = 8;

/// For bytes that are moved within a packet.
#[btf_map]
static MOVED: Array<[u64; MOST_MOVED / 8], MOST_CPUS> = Array::new();

/// This CPU's memory for so many bytes, 1 to 128; said so that the verifier sees it.
#[inline(always)]
pub(crate) fn moved(length: usize) -> Option<(*mut c_void, u32)> {
    let memory = MOVED.get_ptr_mut(cpu() & (MOST_CPUS as u32 - 1))?;
    let length = ((length as u32).wrapping_sub(1) & (MOST_MOVED as u32 - 1)) + 1;
    Some((memory.cast(), length))
}

/// A copy in this CPU's scratch memory.
#[inline(always)]
pub(crate) fn scratch<T: Copy>(place: Place, value: &T) -> Option<*mut T> {
    let place = self::place::<T>(place)?;
    // SAFETY: the place is this CPU's, large enough, and no program here is interrupted by another.
    unsafe { place.write(*value) };
    Some(place)
}

/// What is left there since the last copy, or zeros.
#[inline(always)]
pub(crate) fn place<T: Copy>(place: Place) -> Option<*mut T> {
    const { assert!(size_of::<T>() <= 8 * SCRATCH_WORDS && align_of::<T>() <= 8) };
    let index = (cpu() & (MOST_CPUS as u32 - 1)) * PLACES as u32 + place as u32;
    Some(SCRATCH.get_ptr_mut(index)?.cast::<T>())
}

/// The tables of this program.
pub(crate) struct Maps;

impl Tables for Maps {
    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper takes nothing.
        (unsafe { bpf_ktime_get_coarse_ns() } >> TICK_SHIFT) as u32
    }

    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        SETTINGS.get(0)
    }

    #[inline(always)]
    fn filter(&self, word: u32) -> Option<&Shared64> {
        FILTER.get(word)
    }

    #[inline(always)]
    fn interface(&self, slot: u32) -> Option<&Shared64> {
        INTERFACES.get(slot)
    }

    #[inline(always)]
    fn locality(&self, site: &Site) -> Option<&Locality> {
        // SAFETY: it is read and written word by word. One that the daemon takes out just now may
        // be another address's already: that one may then be sent elsewhere once.
        if let Some(locality) = unsafe { LOCALITIES.get(site) } {
            return Some(locality);
        }
        // If there is no room for it, or another CPU was first, the look-up says so.
        let _ = LOCALITIES.insert(site, NOWHERE.get(0)?, BPF_NOEXIST.into());
        // SAFETY: as above.
        unsafe { LOCALITIES.get(site) }
    }

    #[inline(always)]
    fn call_id(&self) -> Option<&CallId> {
        CALL_ID.get(0)
    }

    #[inline(always)]
    fn keep_call_id(&self, call: u64) {
        if let Some(id) = CALL_ID.get(0) {
            // If there is no room for it, nobody is told of its template.
            let _ = CALL_IDS.insert(call, id, 0);
        }
    }

    #[inline(always)]
    fn service_at(&self, number: u32) -> Option<&Service> {
        SERVICES.get(number)
    }

    #[inline(always)]
    fn destination(&self, number: u32) -> Option<&Destination> {
        DESTINATIONS.get(number)
    }

    #[inline(always)]
    fn load(&self, destination: u32) -> Option<&Load> {
        LOADS.get(destination)
    }

    #[inline(always)]
    fn local(&self, number: u32) -> Option<&Local> {
        LOCALS.get(number)
    }

    #[inline(always)]
    fn node(&self, index: u32) -> Option<&Shared64> {
        NODES.get(index)
    }

    #[inline(always)]
    fn counters(&self, settings: &Settings, destination: u32) -> Option<&Counters> {
        COUNTERS.get(
            cpu()
                .wrapping_mul(settings.destinations.load())
                .wrapping_add(destination),
        )
    }

    #[inline(always)]
    fn count(&self, reason: Reason) {
        count(reason as u32);
    }

    #[inline(always)]
    fn note(&self, event: Event) {
        count(event as u32);
    }

    #[inline(always)]
    fn turn(&self, service: u32, members: Members) -> Option<u32> {
        some(rlvs_turn(service, members.0))
    }

    #[inline(always)]
    fn walk(&self, members: Members) -> Option<u32> {
        some(rlvs_walk(members.0))
    }

    #[inline(always)]
    fn next(&self, members: Members, start: u32, weight: u32) -> u64 {
        rlvs_next(members.0, start, weight)
    }

    #[inline(always)]
    fn known(&self, locality: &Locality, service: u32, members: Members) -> Option<u32> {
        some(rlvs_known(locality, service, members.0))
    }

    #[inline(always)]
    fn learn(&self, locality: &Locality, members: Members, chosen: u32) {
        rlvs_learn(locality, members.0, chosen);
    }

    #[inline(always)]
    fn contend(&self, slot: &Shared64, meta: Meta, packet: Brief, from: From) {
        rlvs_contend(slot, meta.0, packet.0, from as u32);
    }

    #[inline(always)]
    fn show(&self, word: u32, bit: u64) {
        rlvs_show(word, bit);
    }

    #[inline(always)]
    fn repeat<S: FnMut(u32) -> ControlFlow<()>>(&self, times: u32, mut step: S) {
        let context = (&raw mut step).cast();
        let call: unsafe extern "C" fn(u64, *mut c_void) -> i64 = call::<S>;
        // SAFETY: `call` gets the closure of its own type, which lives until the loop is over.
        unsafe { bpf_loop(times, call as *mut c_void, context, 0) };
    }
}

/// No destination.
const NONE: u32 = u32::MAX;

#[inline(always)]
fn some(destination: u32) -> Option<u32> {
    (destination != NONE).then_some(destination)
}

/// A global function: the verifier reads it once, for any service number.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_turn(service: u32, members: u64) -> u32 {
    schedule::turn(&Maps, service, Members(members)).unwrap_or(NONE)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_walk(members: u64) -> u32 {
    schedule::walk(&Maps, Members(members)).unwrap_or(NONE)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_next(members: u64, start: u32, weight: u32) -> u64 {
    schedule::next(&Maps, Members(members), start, weight).0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_known(locality: *const Locality, service: u32, members: u64) -> u32 {
    // SAFETY: the verifier passes null or all of a locality.
    let locality = unsafe { locality.as_ref() };
    locality
        .and_then(|locality| near::known(&Maps, locality, service, Members(members)))
        .unwrap_or(NONE)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_learn(locality: *const Locality, members: u64, chosen: u32) -> u32 {
    // SAFETY: the verifier passes null or all of a locality.
    if let Some(locality) = unsafe { locality.as_ref() } {
        near::learn(&Maps, locality, Members(members), chosen);
    }
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_contend(slot: *const Shared64, meta: u64, packet: u32, from: u32) -> u32 {
    // SAFETY: the verifier passes null or all of a word.
    if let Some(slot) = unsafe { slot.as_ref() } {
        let from = From::from_bits(from as u8);
        follow::contend(&Maps, slot, Meta(meta), Brief(packet), from);
    }
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_show(word: u32, bit: u64) -> u32 {
    marked::show(&Maps, word, bit);
    0
}

/// A turn of a loop: 1 ends it.
unsafe extern "C" fn call<S: FnMut(u32) -> ControlFlow<()>>(turn: u64, step: *mut c_void) -> i64 {
    // SAFETY: `repeat` passed its closure.
    let step = unsafe { &mut *step.cast::<S>() };
    step(turn as u32).is_break() as i64
}

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: the helper takes nothing.
    unsafe { bpf_get_smp_processor_id() }
}

#[inline(always)]
fn count(place: u32) {
    count_many(place, 1);
}

#[inline(always)]
pub(crate) fn count_many(place: u32, packets: u64) {
    if let Some(counter) = REASONS.get(cpu().wrapping_mul(ROOM).wrapping_add(place)) {
        bump(counter, packets);
    }
}
