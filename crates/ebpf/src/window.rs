//! The bytes of a packet that a program may touch: the only pointer arithmetic on packets.

use core::arch::asm;

use rlvs_engine::frame::OFFSETS;
use rlvs_wire::Header;

/// The kernel's pointers to the first byte and behind the last, until something moves them.
pub(crate) struct Window {
    start: usize,
    end: usize,
}

impl Window {
    #[inline(always)]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    pub(crate) fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        // SAFETY: in bounds by `at`; any bytes are an H and it needs no alignment, by `Header`.
        self.at(offset).map(|header| unsafe { &*header })
    }

    #[inline(always)]
    pub(crate) fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H> {
        // SAFETY: as above, and `&mut self` makes it the only view.
        self.at(offset).map(|header| unsafe { &mut *header })
    }

    /// See [`rlvs_engine::Frame::offset`].
    #[inline(always)]
    pub(crate) fn forget(&self, mut offset: usize) -> usize {
        // SAFETY: twice the same exclusive or is none; memory is not touched.
        unsafe {
            asm!(
                "{offset} ^= {other}",
                "{offset} ^= {other}",
                offset = inout(reg) offset,
                other = in(reg) self.length(),
                options(pure, nomem, nostack),
            );
        }
        offset & (OFFSETS - 1)
    }

    #[inline(always)]
    fn at<H>(&self, offset: usize) -> Option<*mut H> {
        if self.start + offset + size_of::<H>() > self.end {
            return None;
        }
        Some((self.start + offset) as *mut H)
    }
}
