//! What is to come of a packet: the same from all directors, or what docs/DIFFERENCES.md says.

use rlvs_testing::packet::{ETHERNET, checksum};

use crate::mask::{is_four, is_right, payload};

/// What the kernel and rlvs send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// The same, which is something.
    Same,
    /// A packet in a tunnel, whose checksum is the kernel's alone: the packet has no transport
    /// checksum by which to tell it.
    WithoutSum,
    /// A datagram that had no checksum, and gets one from the kernel.
    SummedByKernel,
    /// If it is an ICMP error, about the packet as it came; the kernel's has one hop less.
    BeforeHop,
    /// An ICMP error, the kernel's from its own address and about the packet with one hop less, ours
    /// from the address that the packet was for and about it as it came.
    ByAnother,
    /// An ICMP error, in which the kernel tells first what size was known before.
    OfAnotherSize,
    /// An ICMP error, which the kernel leaves its client without.
    ByUsAlone,
}

impl Told {
    /// Whether this is what they sent.
    pub(crate) fn holds(self, kernel: &[Vec<u8>], ours: &[Vec<u8>]) -> bool {
        match (self, kernel, ours) {
            (Self::ByUsAlone, [], [ours]) => is_error(ours),
            (Self::Same, ..) => !kernel.is_empty() && kernel == ours,
            (_, [kernel], [ours]) => self.holds_for(kernel, ours),
            _ => false,
        }
    }

    fn holds_for(self, kernel: &[u8], ours: &[u8]) -> bool {
        let [mut kernel, mut ours] = [kernel.to_vec(), ours.to_vec()];
        let at = payload(&ours);
        match self {
            Self::WithoutSum => return without_sum(kernel).is_some_and(|it| it == ours),
            Self::SummedByKernel => {
                if ours[at + 6..at + 8] != [0, 0] || !is_right(&kernel[ETHERNET..], 17) {
                    return false;
                }
                kernel[at + 6..at + 8].fill(0);
            }
            Self::BeforeHop if is_error(&ours) => one_hop_more(&mut kernel),
            Self::BeforeHop => {}
            Self::ByAnother => {
                one_hop_more(&mut kernel);
                let addresses = match is_four(&ours) {
                    true => ETHERNET + 12..ETHERNET + 16,
                    false => ETHERNET + 8..ETHERNET + 24,
                };
                for frame in [&mut kernel, &mut ours] {
                    frame[addresses.clone()].fill(0);
                    frame[at + 2..at + 4].fill(0);
                }
            }
            Self::OfAnotherSize => {
                if kernel[at + 6..at + 8] <= ours[at + 6..at + 8] {
                    return false;
                }
                for frame in [&mut kernel, &mut ours] {
                    frame[at + 2..at + 8].fill(0);
                }
            }
            Self::Same | Self::ByUsAlone => return false,
        }
        kernel == ours
    }
}

fn is_error(frame: &[u8]) -> bool {
    match is_four(frame) {
        true => frame[ETHERNET + 9] == 1,
        false => frame[ETHERNET + 6] == 58,
    }
}

/// A tunnel's packet without the checksum it has, which must be right: that of GUE is masked.
fn without_sum(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let at = payload(&frame);
    if frame[at..at + 2] != [0x80, 0] {
        let was = frame[at + 6..at + 8].iter().any(|byte| *byte != 0);
        frame[at + 6..at + 8].fill(0);
        return was.then_some(frame);
    }
    let is_right = checksum(&frame[at..]) == 0;
    frame.drain(at + 4..at + 8);
    frame[at] = 0;
    let length = match is_four(&frame) {
        true => ETHERNET + 2,
        false => ETHERNET + 4,
    };
    let less = u16::from_be_bytes([frame[length], frame[length + 1]]) - 4;
    frame[length..length + 2].copy_from_slice(&less.to_be_bytes());
    is_right.then_some(frame)
}

/// In the packet that an ICMP error is about.
fn one_hop_more(frame: &mut [u8]) {
    let at = payload(frame) + 8;
    let inside = &mut frame[at..];
    if inside[0] >> 4 == 6 {
        inside[7] += 1;
        return;
    }
    inside[8] += 1;
    inside[10..12].fill(0);
    let header = usize::from(inside[0] & 15) * 4;
    let sum = checksum(&inside[..header]);
    inside[10..12].copy_from_slice(&sum.to_be_bytes());
}
