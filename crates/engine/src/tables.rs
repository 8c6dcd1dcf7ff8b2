//! Everything the packet path looks up: eBPF maps in the kernel, plain memory elsewhere.

use core::ops::ControlFlow;

use rlvs_word::Shared64;

use crate::answers;
use crate::begin;
use crate::call_id::CallId;
use crate::connection::{Bucket, Key, Meta};
use crate::destination::{Destination, Load};
use crate::family::Family;
use crate::follow;
use crate::fragment::{Draft, Trail};
use crate::frame::Brief;
use crate::ftp::{self, Announced};
use crate::lease::{self, Beginning, Lease, Local, Taken};
use crate::locality::{Locality, Site};
use crate::marked;
use crate::outcome::Outcome;
use crate::reason::{Event, Reason};
use crate::schedule::{self, Members, near, stateless};
use crate::service::{Service, ServiceKey};
use crate::settings::Settings;
use crate::statistics::Counters;
use crate::table::{self, Seat, Spot};
use crate::tcp::From;
use crate::template;
use crate::tuple::{Packet, Tuple};

/// Tables that both IP versions share. A look-up past a table's end is `None`.
pub trait Tables {
    /// The present tick.
    fn now(&self) -> u32;

    fn settings(&self) -> Option<&Settings>;

    /// A word of the filter of virtual addresses, see [`crate::service::filter`].
    fn filter(&self, word: u32) -> Option<&Shared64>;

    /// The director's interfaces by the lowest bits of their index, see [`interface`].
    fn interface(&self, slot: u32) -> Option<&Shared64>;

    /// What is remembered of an address, from now on if there is room.
    fn locality(&self, site: &Site) -> Option<&Locality>;

    /// This CPU's place for the Call-ID of a packet, with whatever is in it.
    fn call_id(&self) -> Option<&CallId>;

    /// Keeps what is there as that of a template's [`call`](template::call); an older one may go for it.
    fn keep_call_id(&self, call: u64);

    fn service_at(&self, number: u32) -> Option<&Service>;

    fn destination(&self, number: u32) -> Option<&Destination>;

    fn load(&self, destination: u32) -> Option<&Load>;

    /// A local address of full NAT.
    fn local(&self, number: u32) -> Option<&Local>;

    /// A node of the members' trees, see [`crate::schedule::Members`].
    fn node(&self, index: u32) -> Option<&Shared64>;

    /// This CPU's counters of a destination.
    fn counters(&self, settings: &Settings, destination: u32) -> Option<&Counters>;

    /// Counts a packet that is not forwarded.
    fn count(&self, reason: Reason);

    /// Counts an event.
    fn note(&self, event: Event);

    /// [`schedule::turn`]; a seam, see [`FamilyTables`].
    fn turn(&self, service: u32, members: Members) -> Option<u32>
    where
        Self: Sized,
    {
        schedule::turn(self, service, members)
    }

    /// [`schedule::walk`]; a seam as well.
    fn walk(&self, members: Members) -> Option<u32>
    where
        Self: Sized,
    {
        schedule::walk(self, members)
    }

    /// [`Members::next`]: a [`schedule::Member`]; a seam as well.
    fn next(&self, members: Members, start: u32, weight: u32) -> u64
    where
        Self: Sized,
    {
        schedule::next(self, members, start, weight).0
    }

    /// [`near::known`]; a seam as well.
    fn known(&self, locality: &Locality, service: u32, members: Members) -> Option<u32>
    where
        Self: Sized,
    {
        near::known(self, locality, service, members)
    }

    /// [`near::learn`]; a seam as well.
    fn learn(&self, locality: &Locality, members: Members, chosen: u32)
    where
        Self: Sized,
    {
        near::learn(self, locality, members, chosen);
    }

    /// [`follow::contend`]; a seam as well, for the many rows of the states.
    fn contend(&self, slot: &Shared64, meta: Meta, packet: Brief, from: From)
    where
        Self: Sized,
    {
        follow::contend(self, slot, meta, packet, from);
    }

    /// [`marked::show`]; a seam as well.
    fn show(&self, word: u32, bit: u64)
    where
        Self: Sized,
    {
        marked::show(self, word, bit);
    }

    /// Calls `step` with 0, 1, ... `times - 1` until it breaks.
    ///
    /// In the kernel this is `bpf_loop`: the verifier reads the body once, however many times.
    fn repeat<S: FnMut(u32) -> ControlFlow<()>>(&self, times: u32, step: S);
}

/// Tables that each IP version has for itself.
///
/// The methods with a body, here and in [`Tables`], are seams: the kernel side puts a global
/// function at each, which takes and gives nothing but numbers. The verifier reads such a function
/// once; without seams it reads what is behind them again for every way that leads there.
pub trait FamilyTables<F: Packet>: Tables + Sized {
    fn bucket(&self, index: u32) -> Option<&Bucket<F::Key>>;

    /// How many entries of this bucket lie in others because it was full.
    fn displaced(&self, bucket: u32) -> Option<&Shared64>;

    /// Number of the service at an address; something if the key is that of a real server.
    fn service(&self, key: &ServiceKey<F::Address>) -> Option<u32>;

    /// This CPU's draft, with whatever is in it: on the stack it would take too much room.
    fn draft(&self) -> Option<&Draft<F>>;

    /// What the first fragment of a draft's datagram left, see [`crate::fragment`].
    fn trail(&self, draft: &Draft<F>) -> Option<&Trail>;

    /// Leaves a draft's trail; an older one may go for it.
    fn lay(&self, draft: &Draft<F>);

    fn is_server(&self, packet: &KeyOf<F>) -> bool {
        answers::is_server(self, packet)
    }

    fn begin(&self, tuple: &Tuple<F>) -> Result<u32, Reason> {
        begin::begin(self, tuple)
    }

    /// [`begin::service`].
    fn service_of(&self, tuple: &Tuple<F>) -> Result<u32, Reason> {
        begin::service(self, tuple)
    }

    fn await_data(&self, announced: Announced) -> bool {
        ftp::await_data(self, announced)
    }

    fn make_room_for_data(&self, announced: Announced) -> bool {
        ftp::make_room(self, announced)
    }

    /// [`ftp::recall`].
    fn recall_announced(&self, key: &KeyOf<F>) -> Outcome {
        ftp::recall(self, key)
    }

    /// [`ftp::arrive`].
    fn arrive(&self, key: &KeyOf<F>) {
        ftp::arrive(self, key);
    }

    /// A connection that was announced, see [`ftp::begin`].
    fn begin_data(&self, tuple: &Tuple<F>) -> Outcome {
        ftp::begin(self, tuple)
    }

    fn hash(&self, key: &KeyOf<F>, service: u32, members: Members) -> Option<u32> {
        schedule::hash(self, key, service, members)
    }

    fn near(&self, key: &KeyOf<F>, service: u32, members: Members) -> Option<u32> {
        near::pick(self, key, service, members)
    }

    /// [`stateless::pick`].
    fn pick_stateless(&self, key: &KeyOf<F>, service: u32) -> Option<u32> {
        stateless::pick(self, key, service)
    }

    fn insert(&self, key: &KeyOf<F>, meta: Meta) -> Spot {
        table::insert(self, key, meta)
    }

    /// Takes a local end for a client's connection with a destination.
    fn take(&self, client: &KeyOf<F>, destination: u32) -> Taken {
        lease::take(self, client, destination)
    }

    /// One of the tries of [`FamilyTables::take`].
    fn attempt(&self, client: &KeyOf<F>, destination: u32, hash: u64) -> Taken {
        lease::attempt(self, client, destination, hash)
    }

    fn is_only(&self, key: &KeyOf<F>, seat: Seat) -> bool {
        lease::is_only(self, key, seat)
    }

    fn bind(&self, client: &KeyOf<F>, taken: Taken) -> Lease {
        lease::bind(self, client, taken)
    }

    fn give_back(&self, client: &KeyOf<F>, destination: u32, lease: Lease) {
        lease::give_back(self, client, destination, lease);
    }

    /// Of a connection by full NAT with a destination, see [`lease::beginning`].
    fn beginning(&self, client: &KeyOf<F>, of: (u32, Lease), first: Beginning) -> Beginning {
        lease::beginning(self, client, of, first)
    }

    fn make_room(&self, key: &KeyOf<F>) -> bool {
        table::make_room(self, key)
    }

    fn victim(&self, key: &KeyOf<F>) -> Spot {
        table::victim(self, key)
    }

    fn recall(&self, key: &KeyOf<F>, call: u64, service: u32) -> Option<u32> {
        template::recall(self, key, call, service)
    }

    fn remember(&self, key: &KeyOf<F>, call: u64, service: u32, destination: u32) -> Option<u32> {
        template::remember(self, key, call, service, destination)
    }

    /// [`template::keep_call`].
    fn keep_call(&self, key: &KeyOf<F>, call: u64, service: u32) {
        template::keep_call(self, key, call, service);
    }

    fn forget(&self, key: &KeyOf<F>, destination: u32, assures: bool) {
        template::forget(self, key, destination, assures);
    }

    fn find_displaced(&self, key: &KeyOf<F>) -> Spot {
        table::find_displaced(self, key)
    }

    fn find_answered_displaced(&self, turned: &KeyOf<F>) -> Spot {
        table::find_answered_displaced(self, turned)
    }

    /// Ends the entry of a connection that is to begin anew.
    fn end(&self, key: &KeyOf<F>) {
        table::end(self, key);
    }

    fn settle(&self, key: &KeyOf<F>, meta: Meta) {
        table::settle(self, key, meta);
    }
}

/// The key of a connection as a value.
pub type KeyOf<F> = <<F as Family>::Key as Key>::Value;

/// The director's own MAC addresses: a frame to another one is another host's, even if it got
/// here because a switch floods or an interface is promiscuous.
pub mod interface {
    /// Slots in the table: attached interfaces' indexes must differ in their lowest ten bits.
    pub const SLOTS: u32 = 1024;

    #[inline(always)]
    pub fn slot(index: u32) -> u32 {
        index & (SLOTS - 1)
    }

    /// The address and what of the index the slot does not say.
    #[inline(always)]
    pub fn word(index: u32, address: [u8; 6]) -> u64 {
        tagged(index, mac(address))
    }

    /// The same of an address in the lower 48 bits.
    #[inline(always)]
    pub fn tagged(index: u32, mac: u64) -> u64 {
        mac | ((index >> 10) as u64) << 48
    }

    /// A MAC address in the lower 48 bits.
    #[inline(always)]
    pub fn mac([a, b, c, d, e, f]: [u8; 6]) -> u64 {
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// What one packet or one sweep decides by: the tables, the settings and one moment.
#[derive(Debug)]
pub struct Context<'t, T> {
    pub tables: &'t T,
    pub settings: &'t Settings,
    /// The present tick.
    pub now: u32,
}

impl<'t, T: Tables> Context<'t, T> {
    #[inline(always)]
    pub fn new(tables: &'t T) -> Option<Self> {
        Some(Self {
            tables,
            settings: tables.settings()?,
            now: tables.now(),
        })
    }
}

impl<T> Clone for Context<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Context<'_, T> {}
