//! FTP with vsftpd and curl, in active and in passive mode: control and data connections of a client
//! meet at one real server.

mod direct;
mod masqueraded;
mod server;

use std::net::IpAddr;

/// Ways to transfer a file: the client connects (EPSV, PASV), the server does (EPRT, PORT).
const WAYS: [&[&str]; 4] = [
    &[],
    &["--disable-epsv"],
    &["--ftp-port", "-"],
    &["--ftp-port", "-", "--disable-eprt"],
];

/// PASV and PORT are of IPv4.
fn ways(vip: IpAddr) -> impl Iterator<Item = &'static [&'static str]> {
    let is_old = |way: &&[&str]| way.iter().any(|it| it.starts_with("--disable"));
    WAYS.into_iter()
        .filter(move |way| vip.is_ipv4() || !is_old(way))
}
