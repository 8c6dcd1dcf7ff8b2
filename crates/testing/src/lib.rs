//! What tests of several crates share.
//!
//! * [`packet`]: frames of every shape, described and then built; lies in their headers too
//! * [`fragments`]: packets in parts, and put together again
//! * [`strategy`]: random ones
//! * `site` (a feature): a director's desired and installed state over any tables, without a
//!   network; `remembering`: the desired state alone, as programs see it
//!
//! Nothing here uses the code under test to make what it is tested with: header bytes and
//! checksums are written out.
#![forbid(unsafe_code)]

pub mod fragments;
pub mod packet;
#[cfg(feature = "site")]
pub mod remembering;
#[cfg(feature = "site")]
pub mod site;
pub mod strategy;

pub use packet::Packet;
