//! Who asks for the name of a socket's peer gets the client's.

use aya_ebpf::programs::SockAddrContext;
use rlvs_arrival::toa::Client;

use crate::CLIENTS;

/// What IPv4 addresses begin with where they stand for IPv6 ones.
const MAPPED: [u32; 3] = [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff])];

/// To a socket of IPv4 a client of IPv6 cannot be told: its peer stays the director.
#[inline(always)]
pub(crate) fn tell4(context: &SockAddrContext) {
    let Some((client, port)) = client(context) else {
        return;
    };
    let [a, b, c, address] = client;
    if [a, b, c] != MAPPED {
        return;
    }
    // SAFETY: the kernel passes a whole record, of which these two words may be written.
    unsafe {
        (&raw mut (*context.sock_addr).user_ip4).write_volatile(address);
        (&raw mut (*context.sock_addr).user_port).write_volatile(port);
    }
}

#[inline(always)]
pub(crate) fn tell6(context: &SockAddrContext) {
    let Some((client, port)) = client(context) else {
        return;
    };
    // SAFETY: as above; word by word, as the kernel wants it.
    unsafe {
        let address = (&raw mut (*context.sock_addr).user_ip6).cast::<u32>();
        for (number, word) in client.into_iter().enumerate() {
            address.add(number).write_volatile(word);
        }
        (&raw mut (*context.sock_addr).user_port).write_volatile(port);
    }
}

/// The client's address in four words and its port, in network order.
#[inline(always)]
fn client(context: &SockAddrContext) -> Option<([u32; 4], u32)> {
    // SAFETY: what the map gives is null or a client, as long as the program runs.
    let client = unsafe { CLIENTS.get_ptr_mut(context).cast::<Client>().as_ref()? };
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = client.address;
    let words = [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]];
    let port = u16::from_ne_bytes(client.port);
    Some((words.map(u32::from_ne_bytes), port.into()))
}
