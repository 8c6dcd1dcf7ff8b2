//! XDP: a frame as an interface received it, given to the engine.

use core::arch::asm;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::helpers::generated::{
    bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
    bpf_xdp_store_bytes,
};
use aya_ebpf::programs::XdpContext;
use rlvs_engine::answers::{self, Answer};
use rlvs_engine::by_error;
use rlvs_engine::call;
use rlvs_engine::forward::{self, Outer, Stream};
use rlvs_engine::fragment::{self, Followed, Origin};
use rlvs_engine::frame::{Brief, Change, Route, RouteKind};
use rlvs_engine::ftp::{self, Announced};
use rlvs_engine::lease::Lease;
use rlvs_engine::outcome::Outcome;
use rlvs_engine::process::process;
use rlvs_engine::related;
use rlvs_engine::respond::{self, Respond};
use rlvs_engine::table::Seat;
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tunnelled;
use rlvs_engine::tuple::Packet;
use rlvs_engine::vlan::Shrink;
use rlvs_engine::{Family, FamilyTables, Frame, Reason, Tables, V4, V6, Verdict};
use rlvs_wire::{Ethernet, Header, vlan};

use crate::maps::{Maps, Place, moved, scratch};
use crate::outcome::Relating;
use crate::stages::{seams, stages};
use crate::window::Window;
use crate::{outcome, route, tagged};

/// The engine's verdict on a frame as an XDP code.
#[inline(always)]
pub(crate) fn verdict(context: XdpContext) -> u32 {
    let context = context.ctx;
    if Received::new(XdpContext::new(context)).is_tagged() {
        tagged::go_on(&XdpContext::new(context));
    }
    match process(&mut Received::new(XdpContext::new(context)), &Maps) {
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Transmit => xdp_action::XDP_TX,
        // A seam: its look-up would cost stack here.
        Verdict::Redirect(interface) => tagged::rlvs_xdp_leave(context, interface) as u32,
        // No frame here asks for it.
        Verdict::Neighbour(_) | Verdict::Deliver => xdp_action::XDP_DROP,
    }
}

/// A frame; of one that never had VLAN tags it is known where it came in.
pub(crate) struct AnyFrame<const PLAIN: bool> {
    context: XdpContext,
    window: Window,
}

/// In the program for frames without tags.
type Received = AnyFrame<true>;
/// In stages, and in the program for frames with tags, which are off.
pub(crate) type XdpFrame = AnyFrame<false>;

impl<const PLAIN: bool> AnyFrame<PLAIN> {
    #[inline(always)]
    pub(crate) fn new(context: XdpContext) -> Self {
        let window = Window::new(context.data(), context.data_end());
        Self { context, window }
    }

    /// For stages that read more than headers, which are there.
    #[inline(always)]
    fn returned(context: XdpContext) -> Self {
        Self::new(context)
    }

    #[inline(always)]
    fn whole(context: XdpContext) -> Self {
        Self::new(context)
    }

    #[inline(always)]
    fn is_tagged(&self) -> bool {
        let ethernet = self.header::<Ethernet>(0);
        ethernet.is_some_and(|ethernet| vlan::is_tag(ethernet.ethertype.get()))
    }

    /// The interface that the kernel saw it come in by.
    #[inline(always)]
    pub(crate) fn lower(&self) -> u32 {
        self.context.ingress_ifindex() as u32
    }

    /// Finds the frame again after something may have moved it.
    #[inline(always)]
    fn refresh(&mut self) {
        self.window = Window::new(self.context.data(), self.context.data_end());
    }
}

impl<const PLAIN: bool> Shrink for AnyFrame<PLAIN> {
    #[inline(always)]
    fn shrink(&mut self, by: usize) -> Option<()> {
        // SAFETY: the helper takes the program's own context.
        let done = unsafe { bpf_xdp_adjust_head(self.context.ctx, by as i32) == 0 };
        self.refresh();
        done.then_some(())
    }
}

impl<const PLAIN: bool> Frame for AnyFrame<PLAIN> {
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
        // SAFETY: the helper takes the program's own context.
        unsafe { bpf_xdp_get_buff_len(self.context.ctx) as usize }
    }

    /// Most frames are in one piece, which is known without asking the kernel.
    #[inline(always)]
    fn is_at_least(&self, length: usize) -> bool {
        is_at_least(self.window.length(), length) || self.length() >= length
    }

    #[inline(always)]
    fn offset(&self, offset: usize) -> usize {
        self.window.forget(offset)
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        match PLAIN {
            true => self.lower(),
            false => tagged::rlvs_xdp_received_by(self.context.ctx) as u32,
        }
    }

    /// Frames cannot be redirected to the loopback interface; [`crate::rlvs_tc_answers`] does it.
    #[inline(always)]
    fn delivers(&self) -> bool {
        false
    }

    #[inline(always)]
    fn mend(&mut self, change: Change) -> Option<()> {
        // The compiler would leave out a check that it has made before, and the verifier has
        // forgotten.
        let field = self.header_mut::<[u8; 2]>(self.offset(change.field))?;
        *field = change.of(*field);
        Some(())
    }

    #[inline(always)]
    fn bring(&mut self, from: usize, to: usize, length: usize) -> Option<()> {
        let (memory, length) = moved(self.offset(length))?;
        let context = self.context.ctx;
        // SAFETY: the memory is this CPU's and has room for them; the helpers keep to the packet.
        let done = unsafe {
            bpf_xdp_load_bytes(context, from as u32, memory, length) == 0
                && bpf_xdp_store_bytes(context, to as u32, memory, length) == 0
        };
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn resize(&mut self, length: usize) -> Option<()> {
        let by = length as i32 - self.length() as i32;
        // SAFETY: the helper takes the program's own context.
        let done = unsafe { bpf_xdp_adjust_tail(self.context.ctx, by) == 0 };
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn extend(&mut self, by: usize) -> Option<()> {
        // SAFETY: as above.
        let done = unsafe { bpf_xdp_adjust_head(self.context.ctx, -(by as i32)) == 0 };
        self.refresh();
        done.then_some(())
    }

    /// What is in front of the gap moves forward, into the room before the frame.
    #[inline(always)]
    fn open(&mut self, at: usize, by: usize, _: usize) -> Option<()> {
        self.extend(by)?;
        self.bring(by, 0, at)
    }

    #[inline(always)]
    fn encapsulate(&mut self, room: usize, _: Outer) -> Option<()> {
        self.extend(room)
    }

    #[inline(always)]
    fn route<F: Family>(&mut self, ends: &KeyOf<F>) -> Route {
        let mut route = route::look_up::<F>(self.context.as_ptr(), self.interface(), ends);
        // XDP cannot ask for a neighbour.
        if route.kind == RouteKind::Ask {
            route.kind = RouteKind::Unresolved;
        }
        route
    }

    seams!(xdp);
}

/// Whether `here` bytes are so many. The verifier learns nothing of it: it would read all that follows
/// twice, knowing other bounds of the numbers compared.
#[inline(always)]
fn is_at_least(here: usize, mut length: usize) -> bool {
    let (mut compared, other) = (here, here);
    // SAFETY: twice the same exclusive or is none; memory is not touched.
    unsafe {
        asm!(
            "{length} ^= {other}",
            "{length} ^= {other}",
            "{compared} ^= {length}",
            "{compared} ^= {length}",
            length = inout(reg) length,
            compared = inout(reg) compared,
            other = in(reg) other,
            options(pure, nomem, nostack),
        );
    }
    compared >= length
}

stages!(xdp, XdpFrame, XdpContext(xdp_md));
