//! The name of this network namespace that no other ever bears until the next boot.
//!
//! The inode number of `/proc/self/ns/net` is no such name: the next namespace gets it as soon as
//! this one is gone, and would find the other's saved settings.
#![expect(unsafe_code, reason = "SO_NETNS_COOKIE is in no safe wrapper yet")]

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

/// The cookie of the calling thread's network namespace (Linux 5.14 and later).
pub fn cookie() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    let mut cookie = 0u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket`, the pointers are those of two live
    // variables, and `length` says how much room `cookie` has.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if outcome == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_the_same_each_time() {
        let cookie = super::cookie().unwrap();
        assert_ne!(cookie, 0);
        assert_eq!(super::cookie().unwrap(), cookie);
    }
}
