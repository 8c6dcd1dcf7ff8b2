//! Shared by the tests that need root.

pub mod foreign;
pub mod scene;
