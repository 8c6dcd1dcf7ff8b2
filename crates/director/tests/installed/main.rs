//! The installed state and the engine together, on tables in memory.

mod keyed;
mod local;
mod marked;
mod masquerade;
mod model;
mod once;
mod ports;
mod properties;
mod reference;
mod removal;
mod scene;
mod sctp;
