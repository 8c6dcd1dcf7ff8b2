//! A real server's side: packets leave their tunnels at tc ingress, with no tunnel device.
//!
//! Nothing is decided here, see `rlvs_arrival`.
#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod decapsulate;
mod object;
mod sum;
mod window;

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

/// Every packet that an interface receives.
#[classifier]
fn rlvs_decapsulate(context: TcContext) -> i32 {
    decapsulate::verdict(context)
}
