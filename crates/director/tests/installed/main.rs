//! The installed state and the engine together, on tables in memory.

mod model;
mod properties;
mod reference;
mod removal;
