//! Laboratory.
#![forbid(unsafe_code)]

pub mod command;
pub mod interrupt;
pub mod vm;
