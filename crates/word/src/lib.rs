//! Words of memory that packet paths on several CPUs, and user space through mmap, read and
//! change at the same time.
//!
//! On a host they are the atomics of `core`. The bpf target knows no compare-and-swap in `core`
//! and no atomic load at all, so there the BPF atomic instructions are reached through compiler
//! intrinsics, and loads and stores are volatile accesses, which BPF executes as one instruction.
//! Memory layout is the same on both sides: an aligned integer.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(internal_features, reason = "BPF atomics have no other door")
)]

#[cfg(target_arch = "bpf")]
#[path = "bpf.rs"]
mod imp;
#[cfg(not(target_arch = "bpf"))]
#[path = "host.rs"]
mod imp;

use core::fmt;

macro_rules! shared {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Default)]
        #[repr(transparent)]
        pub struct $name(imp::$name);

        impl $name {
            pub const fn new(value: $int) -> Self {
                Self(imp::$name::new(value))
            }

            #[inline(always)]
            pub fn load(&self) -> $int {
                self.0.load()
            }

            #[inline(always)]
            pub fn store(&self, value: $int) {
                self.0.store(value);
            }

            /// Replaces `old` by `new`; false, and nothing done, if it is no longer `old`.
            ///
            /// Sequentially consistent: what was stored before is seen by whoever sees `new`.
            #[inline(always)]
            pub fn replace(&self, old: $int, new: $int) -> bool {
                self.0.replace(old, new)
            }

            /// Adds, wrapping; the result is the value before.
            #[inline(always)]
            pub fn add(&self, value: $int) -> $int {
                self.0.add(value)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.load().fmt(f)
            }
        }
    };
}

shared!(
    /// 32 bits.
    Shared32,
    u32
);
shared!(
    /// 64 bits.
    Shared64,
    u64
);

const _: () = assert!(size_of::<Shared32>() == 4 && align_of::<Shared32>() == 4);
const _: () = assert!(size_of::<Shared64>() == 8 && align_of::<Shared64>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_wins_once() {
        let word = Shared64::new(1);
        assert!(word.replace(1, 2));
        assert!(!word.replace(1, 3));
        assert_eq!(word.load(), 2);
    }

    #[test]
    fn add_returns_the_value_before_and_wraps() {
        let word = Shared32::new(u32::MAX);
        assert_eq!(word.add(2), u32::MAX);
        assert_eq!(word.load(), 1);
    }
}
