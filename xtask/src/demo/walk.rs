//! The walk itself, one function a step.

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::capture::Capture;
use rlvs_lab::{DirectRouting, Lab, director, warden};

use super::narrate::{heading, prompt, say, typed};
use super::traffic::{self, Meters};
use crate::progress;

const WEIGHTS: [u32; 3] = [3, 2, 1];
const REQUESTS: usize = 300;
const REQUESTS_V6: usize = 60;

/// A lab, and the walk through it.
pub(super) struct Walk {
    name: String,
    lab: DirectRouting,
}

impl Walk {
    /// Builds the lab.
    pub(super) fn begin(name: &str) -> Result<Self> {
        heading("A laboratory of network namespaces");
        let servers = WEIGHTS.len() as u8;
        let lab = progress::step("client, switch, director, three real servers", |_| {
            DirectRouting::build(Lab::named(name)?, servers)
        })?;
        let walk = Self {
            name: name.to_owned(),
            lab,
        };
        walk.print_picture();
        Ok(walk)
    }

    /// All steps, up to the first that fails.
    pub(super) fn go(&mut self) -> Result<()> {
        self.start_director()?;
        self.add_service()?;
        self.real_servers_up()?;
        self.balance()?;
        self.show_state()?;
        self.balance_v6()?;
        heading("What the director says of itself");
        typed(&self.lab.director.host, "rlvs status").map(drop)
    }

    /// For a walk that failed: what rlvs said.
    pub(super) fn show_daemon_log(&mut self) {
        if let Some(daemon) = self.lab.director.daemon() {
            heading("A step failed; the log of rlvs");
            print!("{}", daemon.log());
        }
    }

    /// Removes the lab.
    pub(super) fn end(self) -> Result<()> {
        heading("The end");
        let Self { name, lab } = self;
        progress::step("remove the lab", |_| {
            drop(lab);
            ensure!(
                !warden::exists(&name),
                "something of the lab {name} is left"
            );
            Ok(())
        })
    }

    /// Leaves the lab up, and says how to use and how to remove it.
    pub(super) fn keep(self) -> Result<()> {
        self.lab.lab.keep()?;
        heading("The lab is yours");
        let directory = self.lab.lab.directory().display();
        let director = self.lab.director.host.namespace_file();
        say("enter a host (client, switch, director, rs1, rs2, rs3), rlvs and ipvsadm at hand:");
        println!("  PATH={directory}/bin:$PATH nsenter --net={director} bash");
        say("logs and configurations:");
        println!("  {directory}");
        say("remove it:");
        println!("  cargo xtask demo --down");
        Ok(())
    }

    fn print_picture(&self) {
        for server in &self.lab.real_servers {
            println!("{}", picture_line(&server.host, "nginx, serves its name"));
        }
        println!("{}", picture_line(&self.lab.director.host, "rlvs"));
        println!("{}", picture_line(&self.lab.client, "curl"));
        println!("  one switch; VIP {}, {}", self.lab.vip4(), self.lab.vip6());
    }

    fn start_director(&mut self) -> Result<()> {
        heading("The director takes the virtual address, and rlvs starts");
        let (v4, v6) = (self.lab.vip4(), self.lab.vip6());
        let director = &mut self.lab.director;
        typed(&director.host, &format!("ip addr add {v4}/32 dev eth0"))?;
        typed(
            &director.host,
            &format!("ip addr add {v6}/128 dev eth0 nodad"),
        )?;
        let file = director.configuration_file()?;
        prompt(
            &director.host,
            &format!("rlvs run --config {} &", file.display()),
        );
        progress::step("rlvs loads and attaches its programs", |_| {
            director.spawn_rlvs(director::CONFIGURATION)?;
            director.wait_ready()
        })?;
        print!(
            "{}",
            director
                .daemon()
                .map_or_else(String::new, |daemon| daemon.log())
        );
        Ok(())
    }

    fn add_service(&self) -> Result<()> {
        heading("A virtual service and its real servers, as in any LVS tutorial");
        let director = &self.lab.director.host;
        let service = with_port(self.lab.vip4(), 80);
        typed(director, &format!("ipvsadm -A -t {service} -s wrr"))?;
        for (server, weight) in self.lab.real_servers.iter().zip(WEIGHTS) {
            let real = with_port(server.host.address().v4, 80);
            typed(
                director,
                &format!("ipvsadm -a -t {service} -r {real} -g -w {weight}"),
            )?;
        }
        Ok(())
    }

    fn real_servers_up(&self) -> Result<()> {
        heading("Real servers accept the virtual address, and do not answer ARP for it");
        let vips = format!("--vip {} --vip {}", self.lab.vip4(), self.lab.vip6());
        for server in &self.lab.real_servers {
            warden::tell(&server.host, "real-servers")?;
            typed(&server.host, &format!("rlvs realserver up {vips}"))?;
        }
        Ok(())
    }

    fn balance(&self) -> Result<()> {
        heading(&format!(
            "{REQUESTS} requests, each in a connection of its own"
        ));
        let vip = self.lab.vip4();
        let filter = format!("src host {vip} and tcp src port 80");
        let capture = Capture::start(&self.lab.client, "eth0", &filter)?;
        let meters = Meters::read(&self.lab)?;
        let answers = traffic::request(&self.lab.client, &format!("http://{vip}/"), REQUESTS)?;
        traffic::show_shares(&self.lab, &WEIGHTS, &answers)?;

        heading("Replies did not pass the director");
        traffic::show_sources(&self.lab, &capture.sources()?)?;
        typed(
            &self.lab.client,
            &format!("curl -s -m 60 http://{vip}/big | wc -c"),
        )?;
        say("on each eth0 since the first request, this download included:");
        meters.show_since(&self.lab)
    }

    fn show_state(&self) -> Result<()> {
        heading("What ipvsadm shows");
        for line in [
            "ipvsadm -Ln",
            "ipvsadm -Ln --stats",
            "ipvsadm -Lnc | head -n 12",
        ] {
            typed(&self.lab.director.host, line)?;
        }
        Ok(())
    }

    fn balance_v6(&self) -> Result<()> {
        heading("The same over IPv6");
        let director = &self.lab.director.host;
        let service = with_port(self.lab.vip6(), 80);
        typed(director, &format!("ipvsadm -A -t {service} -s wrr"))?;
        for (server, weight) in self.lab.real_servers.iter().zip(WEIGHTS) {
            let real = with_port(server.host.address().v6, 80);
            typed(
                director,
                &format!("ipvsadm -a -t {service} -r {real} -g -w {weight}"),
            )?;
        }
        let filter = format!("src host {} and tcp src port 80", self.lab.vip6());
        let capture = Capture::start(&self.lab.client, "eth0", &filter)?;
        let url = format!("'http://[{}]/'", self.lab.vip6());
        let answers = traffic::request(&self.lab.client, &url, REQUESTS_V6)?;
        traffic::show_shares(&self.lab, &WEIGHTS, &answers)?;
        traffic::show_sources(&self.lab, &capture.sources()?)
    }
}

fn picture_line(host: &rlvs_lab::Host, role: &str) -> String {
    let address = host.address();
    let (v4, v6) = (address.v4.to_string(), address.v6.to_string());
    format!(
        "  {:<9} {v4:<11} {v6:<9} {}  {role}",
        host.name(),
        address.mac
    )
}
