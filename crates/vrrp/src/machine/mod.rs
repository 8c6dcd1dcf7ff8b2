//! What follows from advertisements and from silence: state machines without clock or socket.

mod action;
mod admit;
mod announce;
mod hear;
mod router;
mod signed;
mod track;

pub use action::{Action, Event, Obstacle, State, Why};
pub use admit::Refusal;
pub use router::{Machine, Memory};
pub use signed::Unsigned;
pub use track::Reading;

#[cfg(test)]
mod tests;
