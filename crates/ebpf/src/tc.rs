//! tc: a packet in the kernel's general path, perhaps larger than any frame, in pieces, and with
//! a checksum that is still to be filled in; given to the engine.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, BPF_F_INGRESS, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::generated::{
    bpf_csum_update, bpf_l4_csum_replace, bpf_redirect, bpf_redirect_neigh, bpf_skb_adjust_room,
    bpf_skb_change_head, bpf_skb_change_tail, bpf_skb_load_bytes, bpf_skb_store_bytes,
};
use aya_ebpf::programs::TcContext;
use rlvs_engine::answers::{self, Answer};
use rlvs_engine::by_error;
use rlvs_engine::call;
use rlvs_engine::forward::{self, Outer, Stream};
use rlvs_engine::fragment::{self, Followed, Origin};
use rlvs_engine::frame::{Brief, Change, DELIVERED, OFFSETS, Route, Way};
use rlvs_engine::ftp::{self, Announced};
use rlvs_engine::lease::Lease;
use rlvs_engine::outcome::Outcome;
use rlvs_engine::process::process;
use rlvs_engine::related;
use rlvs_engine::respond::{self, Respond};
use rlvs_engine::table::Seat;
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tunnelled;
use rlvs_engine::tuple::{IP, Packet};
use rlvs_engine::{Family, FamilyTables, Frame, Reason, Tables, V4, V6, Verdict};
use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::{Checksum, Ethernet, Header, ipv4, ipv6};

use crate::maps::{Maps, Place, moved, scratch};
use crate::outcome::Relating;
use crate::skb::{HEADERS, PULLED};
use crate::stages::{seams, stages};
use crate::window::Window;
use crate::{outcome, route, skb};

/// The engine's verdict on a packet that came in, as a tc code.
#[inline(always)]
pub(crate) fn verdict(context: TcContext) -> i32 {
    if is_tagged(&context) {
        Maps.count(Reason::Tagged);
        return TC_ACT_UNSPEC;
    }
    let mut frame = Received::new(context);
    if frame.was_delivered() {
        return TC_ACT_UNSPEC;
    }
    let verdict = process(&mut frame, &Maps);
    code(&frame, verdict)
}

/// The same on one that may answer a connection of this host; nothing else is looked for.
#[inline(always)]
pub(crate) fn answers(context: TcContext) -> i32 {
    if is_tagged(&context) {
        return TC_ACT_UNSPEC;
    }
    let mut frame = Received::new(context);
    let verdict = answers::answers(&mut frame, &Maps);
    code(&frame, verdict)
}

/// The same on one that the stack of this host sends.
#[inline(always)]
pub(crate) fn leaving(context: TcContext) -> i32 {
    let mut frame = Leaving::new(context);
    let verdict = answers::answers(&mut frame, &Maps);
    code(&frame, verdict)
}

/// Whether a VLAN tag is beside the packet, which looks as if it had none.
#[inline(always)]
fn is_tagged(context: &TcContext) -> bool {
    // SAFETY: the kernel passes a whole __sk_buff.
    unsafe { (*context.skb.skb).vlan_present != 0 }
}

#[inline(always)]
pub(crate) fn code<const OUT: bool, const MARKED: bool>(
    frame: &TcFrame<OUT, MARKED>,
    verdict: Verdict,
) -> i32 {
    match verdict {
        Verdict::Drop => TC_ACT_SHOT,
        // To who else has programs here, and then to the stack.
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::Transmit => redirect(frame.interface()),
        Verdict::Redirect(interface) => redirect(interface),
        // SAFETY: the helper takes numbers, and a pointer that may be null.
        Verdict::Neighbour(interface) => unsafe {
            bpf_redirect_neigh(interface, core::ptr::null_mut(), 0, 0) as i32
        },
        // SAFETY: the helper takes numbers only.
        Verdict::Deliver => unsafe { bpf_redirect(LOOPBACK, BPF_F_INGRESS as u64) as i32 },
    }
}

#[inline(always)]
fn redirect(interface: u32) -> i32 {
    // SAFETY: the helper takes numbers only.
    unsafe { bpf_redirect(interface, 0) as i32 }
}

/// Room behind the IP header (`enum bpf_adj_room_mode`).
const BPF_ADJ_ROOM_NET: u32 = 0;

/// What an ICMP error is made of: headers of a tunnel, and of a packet as much as is sent back.
const RETURNED: u32 = 256;

/// The loopback interface's index, in every network namespace (include/net/flow.h).
const LOOPBACK: u32 = 1;

/// A packet at an interface's ingress, or at its egress; or one that comes because of its mark.
pub(crate) struct TcFrame<const OUT: bool, const MARKED: bool = false> {
    context: TcContext,
    window: Window,
}

type Received = TcFrame<false>;
type Leaving = TcFrame<true>;
pub(crate) type Marked = TcFrame<false, true>;

impl Received {
    /// Whether it was handed to this host's stack by [`Verdict::Deliver`].
    #[inline(always)]
    fn was_delivered(&self) -> bool {
        self.interface() == LOOPBACK
            && self
                .header::<Addresses>(0)
                .is_some_and(|addresses| addresses.source() == DELIVERED)
    }
}

impl<const OUT: bool, const MARKED: bool> TcFrame<OUT, MARKED> {
    #[inline(always)]
    pub(crate) fn new(context: TcContext) -> Self {
        Self::with(context, HEADERS, PULLED)
    }

    /// For stages that read more than headers.
    #[inline(always)]
    fn returned(context: TcContext) -> Self {
        Self::with(context, RETURNED, RETURNED)
    }

    /// For a stage that reads all of a packet, as far as headers may be written.
    #[inline(always)]
    fn whole(context: TcContext) -> Self {
        Self::with(context, OFFSETS as u32, OFFSETS as u32)
    }

    /// Brings `wanted` bytes, or all there are, into the first piece, if there are less than
    /// `needed`.
    #[inline(always)]
    fn with(context: TcContext, needed: u32, wanted: u32) -> Self {
        skb::bring(&context, needed, wanted);
        Self {
            window: Window::new(context.data(), context.data_end()),
            context,
        }
    }
}

impl<const OUT: bool, const MARKED: bool> TcFrame<OUT, MARKED> {
    /// Whether a transport checksum is to be filled in by a later device: then the kernel's helper
    /// leaves its field alone when something under it changes.
    #[inline(always)]
    fn is_unfinished(&mut self, checksum: usize) -> Option<bool> {
        let before = *self.header::<[u8; 2]>(self.offset(checksum))?;
        // SAFETY: the helper takes the program's own context.
        unsafe { bpf_l4_csum_replace(self.context.skb.skb, checksum as u32, 0, 1, 0) };
        self.refresh();
        let field = self.header_mut::<[u8; 2]>(self.offset(checksum))?;
        let is_unfinished = *field == before;
        *field = before;
        Some(is_unfinished)
    }

    /// Finds the packet again after a helper may have moved it.
    #[inline(always)]
    fn refresh(&mut self) {
        self.window = Window::new(self.context.data(), self.context.data_end());
    }
}

impl<const OUT: bool, const MARKED: bool> Frame for TcFrame<OUT, MARKED> {
    #[inline(always)]
    fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        self.window.header(offset)
    }

    #[inline(always)]
    fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H> {
        self.window.header_mut(offset)
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.context.len() as usize
    }

    #[inline(always)]
    fn offset(&self, offset: usize) -> usize {
        self.window.forget(offset)
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the kernel passes a whole __sk_buff.
        unsafe { (*self.context.skb.skb).ifindex }
    }

    #[inline(always)]
    fn way(&self) -> Way {
        match (OUT, self.interface()) {
            (true, _) => Way::Out,
            (false, LOOPBACK) => Way::Loopback,
            (false, _) => Way::In,
        }
    }

    #[inline(always)]
    fn mark(&self) -> u32 {
        if MARKED {
            // SAFETY: the kernel passes a whole __sk_buff.
            unsafe { (*self.context.skb.skb).mark }
        } else {
            0
        }
    }

    #[inline(always)]
    fn is_led(&self) -> bool {
        MARKED
    }

    /// By the kernel's helpers, which know whether the checksum is in its field.
    #[inline(always)]
    fn mend(&mut self, change: Change) -> Option<()> {
        let done = skb::mend(self.context.skb.skb, change);
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn bring(&mut self, from: usize, to: usize, length: usize) -> Option<()> {
        let (memory, length) = moved(self.offset(length))?;
        let context = self.context.skb.skb;
        // SAFETY: the memory is this CPU's and has room for them; the helpers keep to the packet.
        let done = unsafe {
            bpf_skb_load_bytes(context.cast(), from as u32, memory, length) == 0
                && bpf_skb_store_bytes(context, to as u32, memory, length, 0) == 0
        };
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn account(&mut self, change: Checksum) {
        // SAFETY: the helper takes the program's own context.
        unsafe { bpf_csum_update(self.context.skb.skb, change.to_word()) };
    }

    #[inline(always)]
    fn resize(&mut self, length: usize) -> Option<()> {
        // SAFETY: the helper takes the program's own context.
        let done = unsafe { bpf_skb_change_tail(self.context.skb.skb, length as u32, 0) == 0 };
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn extend(&mut self, by: usize) -> Option<()> {
        // SAFETY: as above.
        let done = unsafe { bpf_skb_change_head(self.context.skb.skb, by as u32, 0) == 0 };
        self.refresh();
        done.then_some(())
    }

    /// Not if the checksum is still to be filled in: where that is done does not move with the
    /// header.
    #[inline(always)]
    fn open(&mut self, at: usize, by: usize, checksum: usize) -> Option<()> {
        if self.is_unfinished(checksum)? {
            return None;
        }
        let skb = self.context.skb.skb;
        // SAFETY: the helper takes the program's own context.
        let done = unsafe { bpf_skb_adjust_room(skb, by as i32, BPF_ADJ_ROOM_NET, 0) == 0 };
        self.refresh();
        if !done {
            return None;
        }
        // The kernel's gap is behind an IP header without options.
        let network = match self.header::<Ethernet>(0)?.ethertype.get() {
            ethernet::IPV6 => IP + ipv6::LENGTH,
            _ => IP + ipv4::MIN_LENGTH,
        };
        let moved = self.bring(network + by, network, at - network);
        let pulled = self.context.pull_data((at + by) as u32);
        self.refresh();
        moved.filter(|()| pulled.is_ok())
    }

    /// The kernel is told what is around the packet: if that is several in one, each gets it.
    #[inline(always)]
    fn encapsulate(&mut self, room: usize, outer: Outer) -> Option<()> {
        let done = skb::encapsulate(self.context.skb.skb, room, outer);
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn is_in_segments(&self) -> bool {
        skb::is_in_segments(&self.context)
    }

    #[inline(always)]
    fn route<F: Family>(&mut self, ends: &KeyOf<F>) -> Route {
        route::look_up::<F>(self.context.as_ptr(), self.interface(), ends)
    }

    seams!(tc, OUT => tc_leaving);
}

stages!(tc, Received, TcContext(__sk_buff));
stages!(leaving tc_leaving, Leaving, TcContext(__sk_buff));
