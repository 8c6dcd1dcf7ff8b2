//! The far end of a director's cable: frames go in, frames come out.

#![expect(unsafe_code, reason = "sockaddr_ll is in no safe wrapper yet")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socket_with};

use crate::frame;

const ETH_P_ALL: u16 = 3;
const SOON: Duration = Duration::from_secs(20);

/// A raw socket on one interface.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: OwnedFd,
    tag: u8,
}

impl Wire {
    pub(crate) fn open(interface: &str) -> Result<Self> {
        let protocol = Protocol::from_raw(u32::from(ETH_P_ALL.to_be()).try_into()?);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            flags,
            Some(protocol),
        )?;
        let index = rustix::net::netdevice::name_to_index(&socket, interface)?;
        bind(&socket, index).with_context(|| format!("cannot bind to {interface}"))?;
        Ok(Self { socket, tag: 0 })
    }

    pub(crate) fn send(&self, frame: &[u8]) -> Result<()> {
        send(&self.socket, frame, SendFlags::empty())?;
        Ok(())
    }

    /// Hands on all frames that have come, once those sent before are done with.
    pub(crate) fn settle(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        self.tag = self.tag.wrapping_add(1) % 100;
        self.send(&frame::arp_request(self.tag))?;
        let begun = Instant::now();
        let mut buffer = [0; 2048];
        while begun.elapsed() < SOON {
            match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) if frame::is_arp_reply(&buffer[..length], self.tag) => {
                    return Ok(());
                }
                Ok((length, _)) => each(&buffer[..length]),
                Err(Errno::AGAIN) => std::thread::sleep(Duration::from_micros(200)),
                Err(error) => return Err(error.into()),
            }
        }
        bail!("the director's stack does not answer")
    }
}

fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: sockaddr_ll is made of integers; zeros are a value of it.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_ALL.to_be();
    address.sll_ifindex = index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to a live sockaddr_ll, and the length is its size.
    let outcome = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
