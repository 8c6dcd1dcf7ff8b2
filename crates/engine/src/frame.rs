//! The one door between packet logic and packet memory.

use rlvs_wire::Header;

/// One received frame, starting with its Ethernet header.
pub trait Frame {
    /// The header at `offset`, if all of it is there.
    fn header<H: Header>(&self, offset: usize) -> Option<&H>;

    /// The same, to be written.
    fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H>;

    /// Length in bytes.
    fn length(&self) -> usize;

    /// Index of the interface it came in on.
    fn interface(&self) -> u32;
}
