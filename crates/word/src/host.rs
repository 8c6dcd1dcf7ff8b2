//! The words on a host: `core`'s atomics.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

macro_rules! word {
    ($name:ident, $atomic:ty, $int:ty) => {
        #[derive(Default)]
        #[repr(transparent)]
        pub(crate) struct $name($atomic);

        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(<$atomic>::new(value))
            }

            pub(crate) fn load(&self) -> $int {
                self.0.load(Ordering::Acquire)
            }

            pub(crate) fn store(&self, value: $int) {
                self.0.store(value, Ordering::Release);
            }

            pub(crate) fn replace(&self, old: $int, new: $int) -> bool {
                self.0
                    .compare_exchange(old, new, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
            }

            pub(crate) fn add(&self, value: $int) -> $int {
                self.0.fetch_add(value, Ordering::SeqCst)
            }
        }
    };
}

word!(Shared32, AtomicU32, u32);
word!(Shared64, AtomicU64, u64);
