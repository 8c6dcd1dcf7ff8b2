//! The installed data plane: what is in the kernel, as typed tables.
//!
//! * [`Plane`]: loads the programs, or adopts those that are there; attaches them to interfaces
//! * [`Tables`](tables::KernelTables): the maps' memory, shared with the packet path
//! * [`Store`]: what a reconciler writes; the kernel's tables, or plain memory in tests
//! * [`real_path`]: probes that go by way of virtual addresses
//! * [`bpffs`]: where programs and maps are pinned, so that they outlive the daemon

pub mod bpffs;
mod call_ids;
pub mod elder;
mod error;
mod hook;
mod interfaces;
mod kernel_types;
mod layout;
mod localities;
mod mapped;
mod mode;
mod moving;
mod plane;
mod programs;
pub mod real_path;
mod store;
pub mod tables;
mod vlans;

pub use error::Error;
pub use interfaces::{Interfaces, Refused};
pub use layout::Foreign;
pub use mode::{Mode, Role, redirects_pieces};
#[cfg(feature = "bench")]
pub use plane::BENCH_OBJECT;
pub use plane::{CLIENT_OBJECT, OBJECT, PATH_OBJECT, Plane, REAL_SERVER_OBJECT, Sizes, remove_all};
pub use store::{CallOf, IndexKey, Remembered, Store};
pub use tables::KernelTables;
pub use vlans::{VlanInterface, Vlans};
