//! What directors of rlvs say to each other: frames ([`frame`]), in messages of Noise ([`noise`]), each
//! behind two bytes with its length.

pub mod frame;
pub mod noise;

pub use frame::{Draft, Frame};
pub use noise::{Handshake, Refused, Session};
