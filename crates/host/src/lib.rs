//! What directors and real servers set on their machine: virtual addresses, and a note of what was
//! there before.
//!
//! * [`address`]: interfaces and addresses, read and changed
//! * [`announce`]: neighbours are told
//! * [`store`]: what was set up here, in one small file per network namespace
#![deny(unsafe_code)]

pub mod address;
pub mod announce;
mod error;
pub mod store;

pub use error::Error;
