//! XDP frames with VLAN tags, which lie in the frame where the network card leaves them there.
//!
//! The tags are taken off before the engine sees the frame, which then counts as received by the
//! VLAN interface; a frame that the engine passes gets them back. All of this is behind seams, so
//! that frames without tags pay for nothing but a look at their ethertype.

use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::btf_maps::{Array, HashMap, ProgramArray};
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::XdpContext;
use rlvs_engine::tables::interface;
use rlvs_engine::vlan::{Tags, Vlan, VlanKey, push, strip};

use crate::maps::{Place, SHARED, place, scratch};
use crate::xdp::XdpFrame;

/// VLAN interfaces by what their frames look like when they come in.
#[btf_map]
static VLANS: HashMap<VlanKey, u32, { interface::SLOTS as usize }> = HashMap::new();
/// The same by their index.
#[btf_map]
static TAGS: Array<Vlan, { interface::SLOTS as usize }, SHARED> = Array::new();

/// The program for frames with tags, if it is needed: a call of its own, for its stack.
#[btf_map]
static TAGGED: ProgramArray<1> = ProgramArray::new();

/// A frame whose tags are off.
#[derive(Clone, Copy)]
#[repr(C)]
struct Untagged {
    tags: Tags,
    /// The VLAN interface; 0 once the frame is gone.
    interface: u64,
}

const GONE: Untagged = Untagged {
    tags: Tags(0),
    interface: 0,
};

/// Leaves the frame to the program for frames with tags; without one this returns.
#[inline(always)]
pub(crate) fn go_on(context: &XdpContext) {
    // SAFETY: the program there is XDP, too: the kernel takes no other.
    unsafe { TAGGED.tail_call(context, 0) };
}

/// The interface that the frame in work was received by: the VLAN's, if it had tags.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn rlvs_xdp_received_by(context: *mut xdp_md) -> u64 {
    let untagged = place::<Untagged>(Place::Tags);
    // SAFETY: the place is this CPU's, and always holds a whole record, if only of zeros.
    match untagged.map_or(0, |untagged| unsafe { (*untagged).interface }) {
        0 => XdpFrame::new(XdpContext::new(context)).lower() as u64,
        interface => interface,
    }
}

#[inline(always)]
fn vlan(index: u32) -> Option<&'static Vlan> {
    let vlan = TAGS.get(interface::slot(index))?;
    (vlan.index.load() == index).then_some(vlan)
}

/// Takes the tags off; the VLAN interface that the frame is for, or 0, and then it is as it was.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn rlvs_xdp_untag(context: *mut xdp_md) -> u64 {
    let mut frame = XdpFrame::new(XdpContext::new(context));
    untag(&mut frame).unwrap_or(0)
}

#[inline(always)]
fn untag(frame: &mut XdpFrame) -> Option<u64> {
    let tags = Tags::read(frame)?;
    let key = VlanKey::new(frame.lower(), tags);
    // SAFETY: a number is read at once; the daemon never changes one in place.
    let interface = unsafe { VLANS.get(key) }.copied()? as u64;
    strip(frame, tags)?;
    scratch(Place::Tags, &Untagged { tags, interface })?;
    Some(interface)
}

/// Does with a frame whose tags are off what was decided: it passes, goes back or ends.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn rlvs_xdp_retag(context: *mut xdp_md, decided: u32) -> u64 {
    let mut frame = XdpFrame::new(XdpContext::new(context));
    let Untagged { tags, interface } = forget();
    let code = match decided {
        xdp_action::XDP_PASS => push(&mut frame, tags).map(|()| xdp_action::XDP_PASS),
        xdp_action::XDP_TX => send(&mut frame, interface as u32),
        _ => None,
    };
    code.unwrap_or(xdp_action::XDP_DROP) as u64
}

/// Whose tags are off, until now.
#[inline(always)]
fn forget() -> Untagged {
    // SAFETY: the place is this CPU's, and always holds a whole record, if only of zeros.
    place::<Untagged>(Place::Tags).map_or(GONE, |untagged| unsafe { untagged.replace(GONE) })
}

/// Sends a frame by an interface that may add tags: if it adds none, this is one look-up.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn rlvs_xdp_leave(context: *mut xdp_md, interface: u32) -> u64 {
    let mut frame = XdpFrame::new(XdpContext::new(context));
    send(&mut frame, interface).unwrap_or(xdp_action::XDP_DROP) as u64
}

#[inline(always)]
fn send(frame: &mut XdpFrame, interface: u32) -> Option<u32> {
    let Some(vlan) = vlan(interface) else {
        return Some(redirect(interface));
    };
    push(frame, Tags(vlan.tags.load()))?;
    let lower = vlan.lower.load();
    match lower == frame.lower() && vlan.redirect.load() == 0 {
        true => Some(xdp_action::XDP_TX),
        false => Some(redirect(lower)),
    }
}

#[inline(always)]
fn redirect(interface: u32) -> u32 {
    // SAFETY: the helper takes numbers only.
    unsafe { bpf_redirect(interface, 0) as u32 }
}
