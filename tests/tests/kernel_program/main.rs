//! The real eBPF program by BPF_PROG_TEST_RUN: frames in, verdicts and frames out, without a
//! network.

mod equality;
mod loaded;
mod loading;
mod network;
mod race;
mod real_path;
