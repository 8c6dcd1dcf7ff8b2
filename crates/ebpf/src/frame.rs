//! A received frame in the kernel's memory.

use aya_ebpf::programs::XdpContext;
use rlvs_engine::Frame;
use rlvs_wire::Header;

pub(crate) struct XdpFrame(XdpContext);

impl XdpFrame {
    #[inline(always)]
    pub(crate) fn new(context: XdpContext) -> Self {
        Self(context)
    }

    /// The only pointer arithmetic on packets in rlvs.
    #[inline(always)]
    fn at<H>(&self, offset: usize) -> Option<*mut H> {
        let start = self.0.data();
        if start + offset + size_of::<H>() > self.0.data_end() {
            return None;
        }
        Some((start + offset) as *mut H)
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
        self.0.data_end() - self.0.data()
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.0.ingress_ifindex() as u32
    }
}
