//! XDP: a frame as an interface received it, given to the engine.

use core::arch::asm;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::helpers::generated::{
    bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
    bpf_xdp_store_bytes,
};
use aya_ebpf::programs::XdpContext;
use rlvs_engine::forward::{self, Outer, Stream};
use rlvs_engine::fragment::{self, Followed, Origin};
use rlvs_engine::frame::{Brief, Change, Route, RouteKind};
use rlvs_engine::lease::Lease;
use rlvs_engine::outcome::Outcome;
use rlvs_engine::process::{self, Answer, process};
use rlvs_engine::related;
use rlvs_engine::respond::{self, Respond};
use rlvs_engine::table::Seat;
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tunnelled;
use rlvs_engine::tuple::Packet;
use rlvs_engine::vlan::Shrink;
use rlvs_engine::{Family, FamilyTables, Frame, Reason, Tables, V4, V6, Verdict};
use rlvs_wire::{Ethernet, Header, vlan};

use crate::maps::{Maps, moved};
use crate::outcome::Relating;
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

    #[inline(always)]
    fn stage(&mut self, stage: extern "C" fn(*mut xdp_md) -> u64) -> Outcome {
        let outcome = stage(self.context.as_ptr().cast());
        self.refresh();
        Outcome(outcome)
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

    #[inline(always)]
    fn recognise<F: Packet, T: FamilyTables<F>>(&mut self, _: &T) -> Result<Answer, Reason> {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_recognise4(context),
            _ => rlvs_xdp_recognise6(context),
        };
        self.refresh();
        outcome::unpack_answer(outcome)
    }

    #[inline(always)]
    fn answer<F: Packet, T: FamilyTables<F>>(&mut self, _: &T, answer: Answer) -> Outcome {
        let context = self.context.as_ptr().cast();
        let (seat, brief) = (answer.seat.0, answer.brief.0);
        let outcome = match F::INDEX {
            0 => rlvs_xdp_answer4(context, seat, brief),
            _ => rlvs_xdp_answer6(context, seat, brief),
        };
        self.refresh();
        Outcome(outcome)
    }

    #[inline(always)]
    fn keep<F: Packet, T: FamilyTables<F>>(&mut self, _: &T, origin: Origin) -> Result<(), Reason> {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_keep4(context, origin.0),
            _ => rlvs_xdp_keep6(context, origin.0),
        };
        self.refresh();
        Outcome(outcome).reason().map_or(Ok(()), Err)
    }

    #[inline(always)]
    fn follow<F: Respond, T: FamilyTables<F>>(&mut self, _: &T) -> Followed {
        let outcome = self.stage(match F::INDEX {
            0 => rlvs_xdp_follow4,
            _ => rlvs_xdp_follow6,
        });
        Followed(outcome.0)
    }

    #[inline(always)]
    fn relate<F, T>(&mut self, _: &T) -> Outcome
    where
        F: Respond,
        T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
    {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => Relating {
                relate: [rlvs_xdp_relate4, rlvs_xdp_relate_full_nat4],
                for_tunnel: rlvs_xdp_for_tunnel4,
                tunnel: rlvs_xdp_tunnel4,
                tunnelled: rlvs_xdp_tunnelled4,
                tell_client: rlvs_xdp_tell_client4,
            }
            .run(context),
            _ => Relating {
                relate: [rlvs_xdp_relate6, rlvs_xdp_relate_full_nat6],
                for_tunnel: rlvs_xdp_for_tunnel6,
                tunnel: rlvs_xdp_tunnel6,
                tunnelled: rlvs_xdp_tunnelled6,
                tell_client: rlvs_xdp_tell_client6,
            }
            .run(context),
        };
        self.refresh();
        outcome
    }

    #[inline(always)]
    fn tunnel<F: Respond, T: Tables>(&mut self, _: &T, number: u32, hash: u32) -> Outcome {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_tunnel4(context, number, hash),
            _ => rlvs_xdp_tunnel6(context, number, hash),
        };
        self.refresh();
        Outcome(outcome)
    }

    #[inline(always)]
    fn full_nat<F: Respond, T: FamilyTables<F>>(
        &mut self,
        _: &T,
        number: u32,
        lease: Lease,
        brief: Brief,
        told: u64,
    ) -> Outcome {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_full_nat4(context, number, lease.0, brief.0, told),
            _ => rlvs_xdp_full_nat6(context, number, lease.0, brief.0, told),
        };
        self.refresh();
        Outcome(outcome)
    }

    #[inline(always)]
    fn tell<F: Respond>(&mut self, stream: Stream, brief: Brief) -> Result<u64, Reason> {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_tell4(context, stream.0, brief.0),
            _ => rlvs_xdp_tell6(context, stream.0, brief.0),
        };
        self.refresh();
        outcome::unpack_word(outcome)
    }

    #[inline(always)]
    fn mend_sctp<F: Packet>(&mut self, at: usize, difference: u32) -> Option<()> {
        let context = self.context.as_ptr().cast();
        let done = match F::INDEX {
            0 => rlvs_xdp_mend_sctp4(context, at as u32, difference),
            _ => rlvs_xdp_mend_sctp6(context, at as u32, difference),
        };
        self.refresh();
        (done != 0).then_some(())
    }

    #[inline(always)]
    fn respond<F: Respond, T: FamilyTables<F>>(&mut self, _: &T, reason: Reason) -> Outcome {
        let context = self.context.as_ptr().cast();
        let outcome = match F::INDEX {
            0 => rlvs_xdp_respond4(context, reason as u32),
            _ => rlvs_xdp_respond6(context, reason as u32),
        };
        self.refresh();
        Outcome(outcome)
    }
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

/// A stage as a global function, like those in `maps`: it takes the program's context and finds
/// the frame anew.
macro_rules! stage {
    ($name:ident, $pack:path, $stage:expr) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            $pack($stage(&mut frame, &Maps))
        }
    };
}

stage!(
    rlvs_xdp_recognise4,
    outcome::pack_answer,
    process::recognise::<V4, _, _>
);
stage!(
    rlvs_xdp_recognise6,
    outcome::pack_answer,
    process::recognise::<V6, _, _>
);
stage!(rlvs_xdp_relate4, outcome::pack, related::relate::<V4, _, _>);
stage!(rlvs_xdp_relate6, outcome::pack, related::relate::<V6, _, _>);
stage!(
    rlvs_xdp_follow4,
    outcome::pack_followed,
    fragment::follow::<V4, _, _>
);
stage!(
    rlvs_xdp_follow6,
    outcome::pack_followed,
    fragment::follow::<V6, _, _>
);

/// The same for first fragments.
macro_rules! keep {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, origin: u64) -> u64 {
            let frame = XdpFrame::new(XdpContext::new(context));
            let kept = fragment::keep::<$family, _, _>(&frame, &Maps, Origin(origin));
            outcome::pack(kept.map(|()| Verdict::Pass))
        }
    };
}

keep!(rlvs_xdp_keep4, V4);
keep!(rlvs_xdp_keep6, V6);

stage!(
    rlvs_xdp_relate_full_nat4,
    outcome::pack,
    related::relate_full_nat::<V4, _, _>
);
stage!(
    rlvs_xdp_relate_full_nat6,
    outcome::pack,
    related::relate_full_nat::<V6, _, _>
);

/// The same for ICMP errors that go on through a tunnel.
macro_rules! for_tunnel {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md) -> u64 {
            let frame = XdpFrame::new(XdpContext::new(context));
            let inward = related::for_tunnel::<$family, _, _>(&frame, &Maps);
            outcome::pack_word(inward.map(|inward| inward.0))
        }
    };
}

for_tunnel!(rlvs_xdp_for_tunnel4, V4);
for_tunnel!(rlvs_xdp_for_tunnel6, V6);

/// The same for ICMP errors about packets in tunnels.
macro_rules! tunnelled {
    ($find:ident, $tell:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $find(context: *mut xdp_md) -> u64 {
            let frame = XdpFrame::new(XdpContext::new(context));
            outcome::pack_number(tunnelled::find::<$family, _, _>(&frame, &Maps))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $tell(context: *mut xdp_md, number: u32) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            outcome::pack(tunnelled::tell::<$family, _, _>(&mut frame, &Maps, number))
        }
    };
}

tunnelled!(rlvs_xdp_tunnelled4, rlvs_xdp_tell_client4, V4);
tunnelled!(rlvs_xdp_tunnelled6, rlvs_xdp_tell_client6, V6);

/// The same for what is told of a dropped packet.
macro_rules! respond {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, reason: u32) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            let reason = Reason::from_bits(reason as u8);
            let verdict = respond::respond::<$family, _, _>(&mut frame, &Maps, reason);
            outcome::pack(Ok(verdict))
        }
    };
}

respond!(rlvs_xdp_respond4, V4);
respond!(rlvs_xdp_respond6, V6);

/// The same for tunnels.
macro_rules! tunnel {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, number: u32, hash: u32) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            outcome::pack(forward::tunnel::<$family, _, _>(
                &mut frame, &Maps, number, hash,
            ))
        }
    };
}

tunnel!(rlvs_xdp_tunnel4, V4);
tunnel!(rlvs_xdp_tunnel6, V6);

/// The same for full NAT.
macro_rules! full_nat {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(
            context: *mut xdp_md,
            number: u32,
            lease: u32,
            brief: u32,
            told: u64,
        ) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            let (lease, brief) = (Lease(lease), Brief(brief));
            outcome::pack(forward::full_nat::<$family, _, _>(
                &mut frame, &Maps, number, lease, brief, told,
            ))
        }
    };
}

full_nat!(rlvs_xdp_full_nat4, V4);
full_nat!(rlvs_xdp_full_nat6, V6);

/// The same for what the real server is told.
macro_rules! tell {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, stream: u64, brief: u32) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            let (stream, brief) = (Stream(stream), Brief(brief));
            outcome::pack_word(forward::tell::<$family, _>(&mut frame, stream, brief))
        }
    };
}

tell!(rlvs_xdp_tell4, V4);
tell!(rlvs_xdp_tell6, V6);

/// The same for answers.
macro_rules! answer {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, seat: u32, brief: u32) -> u64 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            let (seat, brief) = (Seat(seat), Brief(brief));
            outcome::pack(forward::answer::<$family, _, _>(
                &mut frame, &Maps, seat, brief,
            ))
        }
    };
}

answer!(rlvs_xdp_answer4, V4);
answer!(rlvs_xdp_answer6, V6);

/// The same for SCTP's checksum.
macro_rules! mend_sctp {
    ($name:ident, $family:ty) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, at: u32, difference: u32) -> u32 {
            let mut frame = XdpFrame::new(XdpContext::new(context));
            forward::mend_sctp::<$family, _>(&mut frame, at as usize, difference).is_some() as u32
        }
    };
}

mend_sctp!(rlvs_xdp_mend_sctp4, V4);
mend_sctp!(rlvs_xdp_mend_sctp6, V6);
