//! `ipvsadm` against a director in the same process.

mod bench;
mod corpus;
mod executable;
mod listings;
mod nonsense;
mod proc;
mod programs;
mod restore;
mod strict;
mod sysctl;
