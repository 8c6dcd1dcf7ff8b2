//! Packets in, verdicts and packets out: what the engine does, row by row.

mod by_error;
mod calls;
mod connections;
mod defences;
mod destinations;
mod forwarding;
mod fragments;
mod ftp;
mod full;
mod full_nat;
mod localities;
mod marked;
mod moving;
mod persistence;
mod plane;
mod reading;
mod real_path;
mod schedulers;
mod sctp;
mod sysctls;
mod tunnel_errors;
mod tunnels;
