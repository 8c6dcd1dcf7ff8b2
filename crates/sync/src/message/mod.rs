//! Datagrams: built, and read.
//!
//! Version 1 has a head of eight bytes and up to 255 records of IPv4 and IPv6, each with its size,
//! filled up to whole words, and with parameters behind it. Version 0 has a head of four bytes and
//! records of IPv4, without timeout and mark. Version 1 begins with a zero where version 0 has the
//! number of its records, so that who knows only that finds none.
//!
//! What is malformed is refused where the kernel refuses it: a datagram as a whole if its head is
//! wrong; else records count until the first that cannot be told from what comes after it, and those
//! that are merely not understood are left out. Bytes behind the last record are nobody's.

mod build;
mod layout;
mod old;
mod read;

pub use build::{Builder, largest};
pub use read::{Message, Records};

#[cfg(test)]
mod tests;
