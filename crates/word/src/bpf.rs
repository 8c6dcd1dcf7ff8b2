//! The words in eBPF: volatile accesses and the BPF atomic instructions.

use core::cell::UnsafeCell;
use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};
use core::ptr;

macro_rules! word {
    ($name:ident, $int:ty) => {
        #[derive(Default)]
        #[repr(transparent)]
        pub(crate) struct $name(UnsafeCell<$int>);

        // SAFETY: every access is one BPF load, store or atomic instruction.
        unsafe impl Sync for $name {}

        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(UnsafeCell::new(value))
            }

            #[inline(always)]
            pub(crate) fn load(&self) -> $int {
                // SAFETY: the pointer is valid and aligned, being `self`'s.
                unsafe { ptr::read_volatile(self.0.get()) }
            }

            #[inline(always)]
            pub(crate) fn store(&self, value: $int) {
                // SAFETY: as in `load`.
                unsafe { ptr::write_volatile(self.0.get(), value) }
            }

            #[inline(always)]
            pub(crate) fn replace(&self, old: $int, new: $int) -> bool {
                const ORDER: AtomicOrdering = AtomicOrdering::SeqCst;
                // SAFETY: as in `load`.
                unsafe { atomic_cxchg::<$int, ORDER, ORDER>(self.0.get(), old, new).1 }
            }

            // SeqCst: LLVM 22 miscompiles a relaxed add whose result is used.
            #[inline(always)]
            pub(crate) fn add(&self, value: $int) -> $int {
                const ORDER: AtomicOrdering = AtomicOrdering::SeqCst;
                // SAFETY: as in `load`.
                unsafe { atomic_xadd::<$int, $int, ORDER>(self.0.get(), value) }
            }
        }
    };
}

word!(Shared32, u32);
word!(Shared64, u64);
