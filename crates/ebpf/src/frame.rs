//! A received frame in the kernel's memory.

use aya_ebpf::programs::XdpContext;
use rlvs_engine::Frame;
use rlvs_wire::Header;

pub(crate) struct XdpFrame {
    context: XdpContext,
    /// The kernel's pointers, read once: nothing here moves them.
    start: usize,
    end: usize,
}

impl XdpFrame {
    #[inline(always)]
    pub(crate) fn new(context: XdpContext) -> Self {
        let (start, end) = (context.data(), context.data_end());
        Self {
            context,
            start,
            end,
        }
    }

    /// The only pointer arithmetic on packets in rlvs.
    #[inline(always)]
    fn at<H>(&self, offset: usize) -> Option<*mut H> {
        if self.start + offset + size_of::<H>() > self.end {
            return None;
        }
        Some((self.start + offset) as *mut H)
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        // SAFETY: in bounds by `at`; any bytes are an H and it needs no alignment, by `Header`.
        self.at(offset).map(|header| unsafe { &*header })
    }

    #[inline(always)]
    fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H> {
        // SAFETY: as above, and `&mut self` makes it the only view.
        self.at(offset).map(|header| unsafe { &mut *header })
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.context.ingress_ifindex() as u32
    }
}
