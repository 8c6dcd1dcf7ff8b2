//! What the programs of rlvs say to each other: the director's API.
//!
//! * [`model`]: virtual services and destinations as an operator writes them
//! * [`transaction`]: changes, applied whole or not at all
//! * [`listing`]: what the director answers
//! * [`status`]: how it fares, for `rlvs status`
//! * [`rules`]: what of all that LVS takes
//! * [`sysctl`]: the settings of IPVS, and what they do here
//! * [`sync`]: synchronisation of connections with other directors
//! * [`drain`]: destinations on their way out
//! * [`error`]: why it refused
//! * [`endpoint`]: the paths and the version they carry
//! * [`client`]: the blocking client that `ipvsadm` and `rlvs` use
//!
//! The messages are JSON over HTTP/1.1 on the abstract unix socket [`SOCKET`], which belongs to
//! the network namespace: `ip netns exec X ipvsadm` reaches X's director with no option, as with
//! the kernel's IPVS. The same goes over TLS to directors elsewhere, with a token.
#![forbid(unsafe_code)]

pub mod client;
pub mod drain;
pub mod endpoint;
pub mod error;
pub mod event;
mod flat;
pub mod handover;
pub mod listing;
pub mod model;
pub mod rules;
pub mod site;
pub mod status;
pub mod stop;
pub mod sync;
pub mod sysctl;
pub mod transaction;

pub use client::{Client, Remote};
pub use error::{Code, Error};
pub use listing::{
    ConnectionEntry, DestinationStatus, LocalAddress, Overall, ServiceStatus, Services, Timeouts,
};
pub use model::{
    ClientAddress, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
};
pub use status::Status;
pub use sync::{SyncDaemon, SyncRole, Synchronisation};
pub use transaction::{Change, Made, Transaction};

/// Name of the director's abstract unix socket, one in every network namespace.
pub const SOCKET: &str = "rlvs";

/// What a program can ask of a director; the client over the socket, or a director in the same
/// process in tests.
pub trait Director {
    /// Applies all changes of `transaction`, or none.
    fn apply(&mut self, transaction: &Transaction) -> Result<(), Error>;

    /// All virtual services with their destinations and counters.
    fn services(&mut self) -> Result<Services, Error>;

    /// What all services count together.
    fn overall(&mut self) -> Result<Overall, Error>;

    /// Hands every live connection to `each`; stops early when it answers false.
    fn connections(&mut self, each: &mut dyn FnMut(ConnectionEntry) -> bool) -> Result<(), Error>;

    /// Connection timeouts in force.
    fn timeouts(&mut self) -> Result<Timeouts, Error>;

    /// All settings, in the order of [`sysctl::SETTINGS`].
    fn sysctls(&mut self) -> Result<Vec<sysctl::Value>, Error>;

    /// How synchronisation of connections fares.
    fn synchronisation(&mut self) -> Result<Synchronisation, Error>;
}
