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

/// The director's interface.
pub const DIRECTOR: [u8; 6] = [2, 0, 0x0a, 0, 0, 5];
/// The far end of its cable, to the director.
pub const CLIENT: [u8; 6] = [2, 0, 0x0a, 0, 0, 2];

const ETH_P_ALL: u16 = 3;
const SOON: Duration = Duration::from_secs(60);

/// A raw socket on one interface.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
    tag: u8,
}

impl Wire {
    pub fn open(interface: &str) -> Result<Self> {
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

    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(&self.socket, frame, SendFlags::empty())?;
        Ok(())
    }

    /// Hands on all frames that have come, once those sent before are done with. XDP sends what it
    /// was given before the answer just after it.
    pub fn settle(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        self.tag = self.tag.wrapping_add(1) % 100;
        self.send(&arp_request(self.tag))?;
        let begun = Instant::now();
        let mut is_answered = false;
        let mut buffer = [0; 4096];
        while begun.elapsed() < SOON {
            match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) if is_arp_reply(&buffer[..length], self.tag) => is_answered = true,
                Ok((length, _)) => each(&buffer[..length]),
                Err(Errno::AGAIN) if is_answered => return Ok(()),
                Err(Errno::AGAIN) => std::thread::sleep(Duration::from_micros(200)),
                Err(error) => return Err(error.into()),
            }
        }
        bail!("the director's stack does not answer")
    }
}

/// Asks the director's stack for a sign that all frames before this one are done with.
fn arp_request(tag: u8) -> Vec<u8> {
    let mut frame = [[0xff; 6], CLIENT].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(CLIENT);
    frame.extend(asker(tag));
    frame.extend([0; 6]);
    frame.extend([10, 98, 0, 254]);
    frame
}

fn is_arp_reply(frame: &[u8], tag: u8) -> bool {
    frame.get(12..14) == Some(&[8, 6])
        && frame.get(20..22) == Some(&[0, 2])
        && frame.get(38..42) == Some(&asker(tag))
}

fn asker(tag: u8) -> [u8; 4] {
    [10, 98, 0, 100 + tag % 100]
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
