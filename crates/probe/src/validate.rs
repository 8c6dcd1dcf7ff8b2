//! Whether a check can be made at all, told before it is.

use rlvs_check::spec::{Check, Connect, Http, Kind, Regex, Tls, Udp, Version, Via};

use crate::fault::{Fault, Result};
use crate::regex::Matcher;
use crate::through::SEGMENT;
use crate::tls::{self, Alpn};
use crate::{dns, grpc, http1, http2};

/// What is wrong with a check on this machine, and how to mend it: expressions that cannot be
/// compiled, certificates that cannot be read, paths that are none.
pub fn validate(check: &Check) -> core::result::Result<(), String> {
    examine(&check.kind).map_err(|fault| fault.to_string())?;
    match check.connect.via {
        Via::Direct => Ok(()),
        Via::Vip => may_go_through(check),
    }
}

/// Whether it can be made by way of the virtual address, and proves something there.
fn may_go_through(check: &Check) -> core::result::Result<(), String> {
    let way = "`via = \"vip\"'";
    let Connect {
        address, bind_port, ..
    } = check.connect;
    let problem = match &check.kind {
        Kind::Ping | Kind::Script(_) | Kind::File(_) => {
            format!(
                "it opens no connection, so it cannot go by way of the virtual address: leave out {way}"
            )
        }
        Kind::Udp(Udp { reply: None, .. }) => format!(
            "no answer is wanted, so by way of the virtual address it would prove nothing: have it \
             want one, or leave out {way}"
        ),
        Kind::Udp(Udp {
            payload: Some(payload),
            ..
        }) if payload.0.len() > SEGMENT as usize => format!(
            "its payload of {} bytes may not fit a tunnel: make it at most {SEGMENT} bytes, or leave \
             out {way}",
            payload.0.len()
        ),
        _ if address.is_some() => {
            format!("it can go to one place only: leave out `connect_ip', or {way}")
        }
        _ if bind_port.is_some() => format!(
            "real servers' answers come from the same address, and only the port tells them apart: \
             leave out `bind_port', or {way}"
        ),
        _ => return Ok(()),
    };
    Err(problem)
}

fn examine(kind: &Kind) -> Result<()> {
    match kind {
        Kind::Http(http) => {
            tls(http.tls.as_ref())?;
            pages(http)
        }
        Kind::Dns(dns) => dns::question(dns, 0).map(drop),
        Kind::Script(script) => match script.command.first() {
            Some(program) if program.starts_with('/') => Ok(()),
            Some(program) => Err(Fault::here(format!("{program}: not an absolute path"))),
            None => Err(Fault::here("no script is given")),
        },
        Kind::Exchange(exchange) => {
            regex(exchange.receive.as_ref())?;
            tls(exchange.tls.as_ref())
        }
        Kind::Ftp(ftp) => regex(ftp.receive.as_ref()),
        Kind::Imap(mailbox) | Kind::Pop(mailbox) => tls(mailbox.tls.as_ref()),
        Kind::Ldap(directory) => {
            regex(directory.receive.as_ref())?;
            tls(directory.tls.as_ref())
        }
        Kind::Mysql(database) | Kind::Postgresql(database) => tls(database.tls.as_ref()),
        Kind::Sip(sip) => regex(sip.receive.as_ref()),
        Kind::Redis(redis) => tls(redis.tls.as_ref()),
        Kind::Grpc(grpc) => {
            grpc::question(&grpc.service)?;
            tls(grpc.tls.as_ref())
        }
        Kind::Tcp | Kind::Smtp { .. } | Kind::Udp(_) | Kind::Ping | Kind::File(_) => Ok(()),
    }
}

fn pages(http: &Http) -> Result<()> {
    if http.urls.is_empty() {
        return Err(Fault::here("no URL is given"));
    }
    for url in &http.urls {
        regex(url.regex.as_ref())?;
        let host = url.virtual_host.as_ref().or(http.virtual_host.as_ref());
        let host = host.map_or("192.0.2.1", |host| host);
        match http.version {
            Version::Http2 => http2::get(host, url, http.tls.is_some()).map(drop)?,
            version => http1::get(host, url, version).map(drop)?,
        }
    }
    Ok(())
}

fn regex(regex: Option<&Regex>) -> Result<()> {
    match regex {
        Some(regex) => Matcher::new(regex).map(drop).map_err(Fault::Here),
        None => Ok(()),
    }
}

fn tls(tls: Option<&Tls>) -> Result<()> {
    match tls {
        Some(tls) => tls::config(tls, Alpn::None).map(drop).map_err(Fault::Here),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_check::spec::{Hex, Options, Reply, Script, Url};

    use super::*;

    fn problem(kind: Kind) -> String {
        let check = Check::new(kind, Connect::default(), &Options::default());
        validate(&check).err().unwrap_or_default()
    }

    #[test]
    fn what_cannot_work_is_said_before() {
        let page = |url| Kind::Http(Http::new(vec![url]));
        assert_eq!(problem(page(Url::new("/"))), "");
        assert!(problem(page(Url::new("/a b"))).contains("/a b"));
        let regex = Url {
            regex: Some(Regex::new("(")),
            ..Url::new("/")
        };
        assert!(problem(page(regex)).contains("regular expression"));
        assert!(problem(Kind::Script(Script::new(["check.sh"]))).contains("absolute"));
        let tls = Tls {
            verify: true,
            ca: Some("/nothing/here".into()),
            ..Tls::default()
        };
        let https = Http {
            tls: Some(tls),
            ..Http::new(vec![Url::new("/")])
        };
        assert!(problem(Kind::Http(https)).contains("/nothing/here"));
    }

    #[test]
    fn what_proves_nothing_by_way_of_the_virtual_address_is_said_before() {
        let problem = |kind, connect| {
            let check = Check::new(kind, connect, &Options::default());
            validate(&check).err().unwrap_or_default()
        };
        let vip = || Connect {
            via: Via::Vip,
            ..Connect::default()
        };
        assert_eq!(problem(Kind::Tcp, vip()), "");
        assert!(problem(Kind::Ping, vip()).contains("no connection"));
        let elsewhere = Connect {
            address: "192.0.2.1".parse().ok(),
            ..vip()
        };
        assert!(problem(Kind::Tcp, elsewhere).contains("connect_ip"));
        let from = Connect {
            bind_port: Some(1),
            ..vip()
        };
        assert!(problem(Kind::Tcp, from).contains("bind_port"));
        let mut udp = Udp::default();
        assert!(problem(Kind::Udp(udp.clone()), vip()).contains("no answer"));
        udp.reply = Some(Reply::default());
        assert_eq!(problem(Kind::Udp(udp.clone()), vip()), "");
        udp.payload = Some(Hex(vec![0; 1400]));
        assert!(problem(Kind::Udp(udp), vip()).contains("1400 bytes"));
    }
}
