//! A real server: nginx and a name server that say which one they are.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::host::Host;
use crate::process::Process;
use crate::warden;

const READY: Duration = Duration::from_secs(60);

/// Size of the file at `/big`.
pub const BIG: usize = 16 << 20;

/// Where nginx wants the PROXY protocol.
pub const PROXY_PORT: u16 = 81;

/// A host with servers that give its name: nginx at `/` and `/who`, dnsmasq for `who.lab`.
#[derive(Debug)]
pub struct RealServer {
    pub nginx: Process,
    pub dns: Process,
    pub host: Host,
}

impl RealServer {
    /// Starts the servers on `host`, on port 80 and port 53 of all its addresses.
    pub fn start(host: Host) -> Result<Self> {
        host.keep_flows_together()?;
        let nginx = start_nginx(&host)?;
        let dns = start_dns(&host)?;
        Ok(Self { nginx, dns, host })
    }

    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Starts nginx anew after it was stopped.
    pub fn restart_nginx(&mut self) -> Result<()> {
        self.nginx.stop()?;
        self.nginx = start_nginx(&self.host)?;
        Ok(())
    }

    /// What nginx serves at `/content/`, with its name in the header `Served-By`.
    pub fn content(&self) -> Result<PathBuf> {
        let directory = self.host.directory()?.join("content");
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// `rlvs realserver up` for all `vips`.
    pub fn up(&self, vips: &[IpAddr]) -> Result<()> {
        self.up_with(vips, &[])
    }

    /// `rlvs realserver up` for all `vips`, with the end of tunnels, `ipip,gre,gue`, from
    /// `directors`, as `--from` takes them.
    pub fn up_tunnel(&self, vips: &[IpAddr], tunnels: &str, directors: &str) -> Result<()> {
        self.up_with(vips, &["--tunnel", tunnels, "--from", directors])
    }

    /// `rlvs realserver up` for all `vips` with more options.
    pub fn up_with(&self, vips: &[IpAddr], options: &[&str]) -> Result<()> {
        warden::tell(&self.host, "real-servers")?;
        self.realserver("up", vips, options)
    }

    /// `rlvs realserver down` for all `vips`.
    pub fn down(&self, vips: &[IpAddr]) -> Result<()> {
        self.realserver("down", vips, &[])
    }

    fn realserver(&self, verb: &str, vips: &[IpAddr], options: &[&str]) -> Result<()> {
        let words = ["realserver".to_owned(), verb.to_owned()];
        let vips = vips
            .iter()
            .flat_map(|vip| ["--vip".to_owned(), vip.to_string()]);
        let options = options.iter().map(|&option| option.to_owned());
        self.host
            .run("rlvs", words.into_iter().chain(vips).chain(options))
            .map(drop)
    }
}

fn start_nginx(host: &Host) -> Result<Process> {
    let directory = host.directory()?;
    let file = directory.join("nginx.conf");
    fs::write(
        &file,
        nginx_configuration(host.name(), &directory, &big_file(host)?),
    )?;
    let words = [
        "-p".as_ref(),
        directory.as_os_str(),
        "-c".as_ref(),
        file.as_os_str(),
    ];
    let mut nginx = host.spawn("nginx", "nginx", words)?;
    let address = host.address();
    for url in [
        format!("http://{}/", address.v4),
        format!("http://[{}]/", address.v6),
    ] {
        nginx.wait_until(READY, |_| {
            Ok(host
                .try_run("curl", ["-sfg", "-m", "5", &url])?
                .status
                .success())
        })?;
    }
    Ok(nginx)
}

fn nginx_configuration(name: &str, directory: &Path, big: &Path) -> String {
    let (directory, big) = (directory.display(), big.display());
    format!(
        "daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
    access_log access.log;
    client_header_timeout 600s;
    default_type text/plain;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 80 backlog=4096;
        listen [::]:80 backlog=4096 ipv6only=on;
        location = / {{ return 200 '{name}\\n'; }}
        location = /who {{ return 200 '{name}\\n'; }}
        location = /client {{ return 200 '$remote_addr $remote_port\\n'; }}
        location = /big {{ alias {big}; }}
        location = /slow {{ alias {big}; limit_rate 4m; }}
        location /content/ {{ alias {directory}/content/; add_header Served-By {name}; }}
    }}
    server {{
        listen {PROXY_PORT} proxy_protocol;
        listen [::]:{PROXY_PORT} proxy_protocol ipv6only=on;
        location = /client {{ return 200 '$proxy_protocol_addr $proxy_protocol_port\\n'; }}
        location = /big {{ alias {big}; }}
    }}
}}
"
    )
}

/// One file for all real servers of a lab: whichever answers, its bytes are the same.
fn big_file(host: &Host) -> Result<PathBuf> {
    let file = host.lab().directory().join("big");
    if !file.exists() {
        let bytes: Vec<u8> = (0..BIG / 8)
            .flat_map(|number| number.to_be_bytes())
            .collect();
        fs::write(&file, bytes)?;
    }
    Ok(file)
}

fn start_dns(host: &Host) -> Result<Process> {
    let directory = host.directory()?;
    let name = host.name();
    let address = host.address();
    let arguments = [
        "--keep-in-foreground".to_owned(),
        "--user=root".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        "--no-resolv".to_owned(),
        "--no-hosts".to_owned(),
        format!("--pid-file={}", directory.join("dnsmasq.pid").display()),
        format!("--address=/who.lab/{}", address.v4),
        format!("--address=/who.lab/{}", address.v6),
        format!("--txt-record=who.lab,{name}"),
    ];
    let mut dns = host.spawn("dnsmasq", "dnsmasq", arguments)?;
    dns.wait_until(READY, |_| {
        Ok(dig(host, address.v4, "TXT").is_ok_and(|text| text == name))
    })?;
    Ok(dns)
}

/// Asks the name server at `server` for a record of `who.lab`, by UDP, once; the answer.
pub fn dig(host: &Host, server: impl Into<IpAddr>, kind: &str) -> Result<String> {
    let server = format!("@{}", server.into());
    let answer = host.run(
        "dig",
        ["+short", "+tries=1", "+time=2", &server, "who.lab", kind],
    )?;
    Ok(answer.trim().trim_matches('"').to_owned())
}
