//! Names that are given, and a way to run commands with them on a director that only remembers.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};

use rlvs::ipvsadm::{Names, Program, ServiceNames, Surroundings};
use rlvs_control::Director;
pub(crate) use rlvs_testing::remembering::Memory;

/// What a command left behind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

/// Runs command lines.
#[derive(Debug, Default)]
pub(crate) struct Bench<D> {
    pub(crate) director: D,
    pub(crate) names: FixedNames,
}

impl<D: Director> Bench<D> {
    pub(crate) fn run(&mut self, line: &str) -> Outcome {
        self.run_with(line, "")
    }

    /// The first word names the program.
    pub(crate) fn run_with(&mut self, line: &str, stdin: &str) -> Outcome {
        let words = shlex::split(line).expect("quotes are balanced");
        self.run_words(&words, stdin)
    }

    pub(crate) fn run_words(&mut self, words: &[String], stdin: &str) -> Outcome {
        self.run_as(words, stdin, false)
    }

    /// As ipvsadm 1.31 to the last, or better where it could be.
    pub(crate) fn run_as(&mut self, words: &[String], stdin: &str, strict: bool) -> Outcome {
        let program = Program::named(&words[0]).expect("a program of ours");
        let arguments = words[1..].iter().map(OsString::from).collect::<Vec<_>>();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = program.run(
            &arguments,
            &mut Surroundings {
                director: &mut self.director,
                names: &self.names,
                input: &mut stdin.as_bytes(),
                output: &mut stdout,
                errors: &mut stderr,
                strict,
            },
        );
        let text = |bytes| String::from_utf8(bytes).expect("all of it is text");
        Outcome {
            stdout: text(stdout),
            stderr: text(stderr),
            status,
        }
    }

    /// Runs a line that must succeed and print nothing.
    pub(crate) fn make(&mut self, line: &str) {
        assert_eq!(self.run(line), Outcome::default(), "{line}");
    }
}

/// The names of a hosts file, and of a few services.
#[derive(Debug)]
pub(crate) struct FixedNames {
    addresses: HashMap<String, IpAddr>,
    hosts: HashMap<IpAddr, String>,
    services: ServiceNames,
}

impl FixedNames {
    /// Reads hosts(5).
    pub(crate) fn of(hosts_file: &str) -> Self {
        let services = ServiceNames::parse(include_str!("../fixtures/services"));
        let mut table = Self {
            addresses: HashMap::new(),
            hosts: HashMap::new(),
            services,
        };
        for line in hosts_file.lines() {
            let mut words = line.split_whitespace();
            let address: IpAddr = words.next().unwrap().parse().unwrap();
            for name in words {
                table.addresses.insert(name.to_lowercase(), address);
                table
                    .hosts
                    .entry(address)
                    .or_insert_with(|| name.to_owned());
            }
        }
        table
    }
}

impl Default for FixedNames {
    fn default() -> Self {
        Self::of("")
    }
}

impl Names for FixedNames {
    fn ipv4(&self, host: &str) -> Option<Ipv4Addr> {
        match self.addresses.get(&host.to_lowercase())? {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        }
    }

    fn host(&self, address: IpAddr) -> Option<String> {
        self.hosts.get(&address).cloned()
    }

    fn port(&self, service: &str, protocol: &str) -> Option<u16> {
        self.services.port(service, protocol)
    }

    fn service(&self, port: u16, protocol: &str) -> Option<String> {
        self.services.name(port, protocol)
    }
}
