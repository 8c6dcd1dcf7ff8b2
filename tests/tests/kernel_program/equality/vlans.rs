//! VLAN interfaces, and frames with their tags.

use rlvs_engine::memory::Bytes;
use rlvs_engine::vlan::{Tags, VlanKey};
use rlvs_plane::VlanInterface;
use rlvs_testing::site::{INTERFACE, OTHER_INTERFACE};
use rlvs_wire::ethernet::{SERVICE_VLAN, VLAN};

/// Where tags are in a frame: behind the MAC addresses.
const OFFSET: usize = 12;

/// VLAN interfaces: with one tag, with two, and the one that every fourth real server is behind.
pub(super) fn vlans() -> [VlanInterface; 3] {
    let vlan = |index, vlans: &[(u16, u16)], redirect| VlanInterface {
        index,
        lower: INTERFACE,
        tags: Tags::of(vlans).expect("one or two"),
        receives: true,
        redirect,
    };
    [
        vlan(5, &[(VLAN, 10)], false),
        vlan(6, &[(SERVICE_VLAN, 20), (VLAN, 10)], false),
        vlan(OTHER_INTERFACE, &[(VLAN, 30)], true),
    ]
}

/// A frame of a VLAN as it may come in: with a priority in the outer tag.
pub(super) fn prioritised(frame: &[u8], vlan: VlanInterface) -> Vec<u8> {
    const PRIORITY: u64 = 5 << 45;
    tagged(frame, Tags(vlan.tags.0 | PRIORITY))
}

/// A frame with tags, written down anew.
pub(super) fn tagged(frame: &[u8], tags: Tags) -> Vec<u8> {
    let Some((addresses, rest)) = frame.split_at_checked(OFFSET) else {
        return frame.to_vec();
    };
    let all = tags.0.to_be_bytes();
    [addresses, &all[..length(tags)], rest].concat()
}

fn length(tags: Tags) -> usize {
    match tags.0 as u32 {
        0 => 4,
        _ => 8,
    }
}

/// A frame as it comes in: many have tags of nobody's VLAN, and one in thousands, by chance, those
/// of one that is here.
pub(super) struct Arrival {
    /// The VLAN interface that receives it, and the tags it came with.
    pub(super) vlan: Option<(VlanInterface, Tags)>,
    /// Without the tags that brought it there.
    pub(super) frame: Vec<u8>,
}

impl Arrival {
    pub(super) fn of(sent: &[u8]) -> Self {
        let tags = Tags::read(&Bytes::received(sent.to_vec(), INTERFACE));
        let vlan = tags.and_then(|tags| Some((receiver(tags)?, tags)));
        let mut frame = sent.to_vec();
        if let Some((_, tags)) = vlan {
            frame.drain(OFFSET..OFFSET + length(tags));
        }
        Self { vlan, frame }
    }
}

fn receiver(tags: Tags) -> Option<VlanInterface> {
    let key = |tags| VlanKey::new(INTERFACE, tags);
    vlans().into_iter().find(|vlan| key(vlan.tags) == key(tags))
}
