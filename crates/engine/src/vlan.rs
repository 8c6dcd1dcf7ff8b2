//! Frames with VLAN tags, where the kernel has not taken them off: XDP sees frames as they are on
//! the wire.
//!
//! Such a frame is taken for one without tags that the VLAN interface received. What leaves by a
//! VLAN interface gets that one's tags, and leaves by the interface below it.

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::vlan::{self, NUMBER, Tag};
use rlvs_word::{Shared32, Shared64};

use crate::frame::Frame;

/// One or two tags: protocol and control (16 bits each) of the outer one above those of the
/// inner one, which are 0 if there is none.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Tags(pub u64);

/// A VLAN interface, found by [`crate::tables::interface::slot`] of its index.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Vlan {
    /// Its index; 0: there is none in this place.
    pub index: Shared32,
    /// The index of the interface below all tags.
    pub lower: Shared32,
    /// Its [`Tags`].
    pub tags: Shared64,
    /// 1: frames go by redirect even when they leave where they came in, see
    /// [`crate::destination::Destination::REDIRECT`].
    pub redirect: Shared32,
    pub reserved: [Shared32; 3],
}

const _: () = assert!(size_of::<Vlan>() == 32);

/// What a VLAN interface is found by when its frames come in.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct VlanKey {
    /// The tags' protocols and numbers.
    pub tags: u64,
    /// The interface below.
    pub lower: u32,
    pub padding: u32,
}

impl VlanKey {
    #[inline(always)]
    pub fn new(lower: u32, tags: Tags) -> Self {
        Self {
            tags: tags.numbers().0,
            lower,
            padding: 0,
        }
    }
}

/// Frames that can also lose bytes in front.
pub trait Shrink: Frame {
    /// Takes so many bytes away in front.
    fn shrink(&mut self, by: usize) -> Option<()>;
}

impl Tags {
    /// Of VLANs: protocol and number, the outer one first.
    pub fn of(vlans: &[(u16, u16)]) -> Option<Self> {
        let word = |&(protocol, number): &(u16, u16)| (protocol as u64) << 16 | number as u64;
        match vlans {
            [one] => Some(Self(word(one) << 32)),
            [outer, inner] => Some(Self(word(outer) << 32 | word(inner))),
            _ => None,
        }
    }

    /// A frame's, if it has any; of more than two, the outer two.
    #[inline(always)]
    pub fn read<R: Frame>(frame: &R) -> Option<Self> {
        let outer = read(frame, vlan::OFFSET)?;
        let inner = read(frame, vlan::OFFSET + vlan::LENGTH).unwrap_or(0);
        Some(Self(outer << 32 | inner))
    }

    /// Without priorities.
    #[inline(always)]
    const fn numbers(self) -> Self {
        const MASK: u64 = 0xffff << 16 | NUMBER as u64;
        Self(self.0 & (MASK << 32 | MASK))
    }

    #[inline(always)]
    const fn has_two(self) -> bool {
        self.0 as u32 != 0
    }
}

#[inline(always)]
fn read<R: Frame>(frame: &R, at: usize) -> Option<u64> {
    let tag = frame.header::<Tag>(at)?;
    let (protocol, control) = (tag.protocol.get(), tag.control.get());
    vlan::is_tag(protocol).then_some((protocol as u64) << 16 | control as u64)
}

/// Takes a frame's tags off.
#[inline(always)]
pub fn strip<R: Shrink>(frame: &mut R, tags: Tags) -> Option<()> {
    let addresses = *frame.header::<Addresses>(0)?;
    match tags.has_two() {
        true => frame.shrink(2 * vlan::LENGTH)?,
        false => frame.shrink(vlan::LENGTH)?,
    }
    *frame.header_mut::<Addresses>(0)? = addresses;
    Some(())
}

/// Puts tags on.
#[inline(always)]
pub fn push<R: Frame>(frame: &mut R, tags: Tags) -> Option<()> {
    let addresses = *frame.header::<Addresses>(0)?;
    match tags.has_two() {
        true => {
            frame.extend(2 * vlan::LENGTH)?;
            write(frame, vlan::OFFSET + vlan::LENGTH, tags.0 as u32)?;
        }
        false => frame.extend(vlan::LENGTH)?,
    }
    *frame.header_mut::<Addresses>(0)? = addresses;
    write(frame, vlan::OFFSET, (tags.0 >> 32) as u32)
}

#[inline(always)]
fn write<R: Frame>(frame: &mut R, at: usize, tag: u32) -> Option<()> {
    let to = frame.header_mut::<Tag>(at)?;
    to.protocol.set((tag >> 16) as u16);
    to.control.set(tag as u16);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Bytes;
    use rlvs_wire::ethernet::{SERVICE_VLAN, VLAN};
    use std::vec::Vec;

    /// A frame with these tags, 0xa0 being a priority.
    fn frame(tags: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = (1..=12).collect();
        bytes.extend(tags);
        bytes.extend([0x08, 0x00, 0x45, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        bytes
    }

    const ONE: [u8; 4] = [0x81, 0x00, 0xa0, 0x0a];
    const TWO: [u8; 8] = [0x88, 0xa8, 0xa0, 0x14, 0x81, 0x00, 0x00, 0x0a];

    #[test]
    fn a_frame_without_tags_has_none() {
        assert_eq!(Tags::read(&Bytes::received(frame(&[]), 2)), None);
    }

    #[test]
    fn tags_come_off_and_go_on_again() {
        for tags in [&ONE[..], &TWO] {
            let mut bytes = Bytes::received(frame(tags), 2);
            let read = Tags::read(&bytes).unwrap();
            strip(&mut bytes, read).unwrap();
            assert_eq!(bytes.bytes, frame(&[]));
            push(&mut bytes, read).unwrap();
            assert_eq!(bytes.bytes, frame(tags));
        }
    }

    #[test]
    fn a_vlan_is_found_whatever_the_priority() {
        for (tags, vlans) in [
            (&ONE[..], &[(VLAN, 10)][..]),
            (&TWO, &[(SERVICE_VLAN, 20), (VLAN, 10)]),
        ] {
            let read = Tags::read(&Bytes::received(frame(tags), 2)).unwrap();
            let key = VlanKey::new(2, Tags::of(vlans).unwrap());
            assert_eq!(VlanKey::new(2, read), key);
            assert_ne!(VlanKey::new(3, read), key);
        }
        assert_eq!(Tags::of(&[]), None);
    }

    #[test]
    fn what_is_cut_short_is_left_alone() {
        let bytes = frame(&ONE)[..15].to_vec();
        assert_eq!(Tags::read(&Bytes::received(bytes, 2)), None);
    }
}
