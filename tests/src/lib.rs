//! Shared by the tests that need root.

pub mod datagram;
pub mod foreign;
pub mod mail;
pub mod place;
pub mod real_path;
pub mod scene;
pub mod sip;
pub mod talk;
pub mod tunnel_site;
pub mod tunnels;
pub mod wire;
