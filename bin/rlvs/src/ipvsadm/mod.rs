//! The `ipvsadm` command, a drop-in for ipvsadm 1.31: same command lines, same output, same
//! statuses. Where it differs on purpose is written in `docs/DIFFERENCES.md`.
//!
//! From what is typed to what is printed: [`flags`] is the table of all flags, [`tokens`] the
//! grammar, [`typed`] collects the options, [`options`] says which go together, [`build`] makes a
//! [`command::Command`] of them; then the director is asked, and [`print`] writes its answer.

mod address;
mod build;
mod command;
pub(crate) mod definitions;
mod failure;
mod flags;
mod help;
mod line_by_line;
mod names;
mod number;
mod options;
mod parse;
mod print;
mod restore;
mod scheduler_flags;
mod tokens;
mod typed;
mod units;

use std::ffi::OsString;
use std::io::{BufRead, Write};

use rlvs_control::{Change, Director, ServiceKey};

use command::{Command, Listing, ServiceListing, Subject};
use failure::Failure;
pub use names::{Names, ServiceNames, SystemNames};
use print::{ConnectionListing, Namer};
pub(crate) use print::{Kept, server_options, service_options};
pub(crate) use restore::Script;

/// What `ipvsadm-save` prints when it does not know an option.
const SAVE_USAGE: &str = "\
ipvsadm-save: Script to save the IPVS table to stdout.
   With the -n option, prints out the table in numeric format.
";

/// Which of the three programs it is called as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    Ipvsadm,
    Restore,
    Save,
}

/// All that the commands touch.
#[expect(
    missing_debug_implementations,
    reason = "streams and directors have none"
)]
pub struct Surroundings<'a> {
    pub director: &'a mut dyn Director,
    pub names: &'a dyn Names,
    pub input: &'a mut dyn BufRead,
    pub output: &'a mut dyn Write,
    pub errors: &'a mut dyn Write,
    /// Also where ipvsadm 1.31 could be better, do as it does: `docs/DIFFERENCES.md`.
    pub strict: bool,
}

impl Program {
    /// By the name of the executable.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ipvsadm" => Some(Self::Ipvsadm),
            "ipvsadm-restore" => Some(Self::Restore),
            "ipvsadm-save" => Some(Self::Save),
            _ => None,
        }
    }

    /// Runs with `arguments`, which do not hold the program's name, and answers the status.
    pub fn run(self, arguments: &[OsString], surroundings: &mut Surroundings<'_>) -> i32 {
        let arguments = arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned());
        let arguments = arguments.collect::<Vec<_>>();
        let result = match self {
            Self::Ipvsadm => surroundings.ipvsadm(&arguments),
            Self::Restore => surroundings.replace(),
            Self::Save => surroundings.save_program(&arguments),
        };
        surroundings.end(result)
    }
}

impl<'a> Surroundings<'a> {
    fn ipvsadm(&mut self, arguments: &[String]) -> Result<(), Failure> {
        self.execute(parse::parse(arguments, self.names)?)
    }

    fn execute(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Change(change) => self
                .director
                .apply(&change.clone().into())
                .map_err(|error| Failure::change(&change, &error)),
            Command::Help => Ok(help::help(self.output)?),
            Command::List(listing) => self.list(&listing),
            Command::LocalAddresses { only, numeric } => self.local_addresses(only, numeric),
            Command::Restore => self.restore(),
            Command::Save { numeric } => self.save(numeric),
            Command::Version => Ok(writeln!(self.output, "{}", help::VERSION)?),
        }
    }

    fn list(&mut self, listing: &Listing) -> Result<(), Failure> {
        let names = self.namer(listing.numeric);
        match &listing.subject {
            Subject::Connections {
                persistence_engines,
            } => self.connections(ConnectionListing {
                names,
                persistence_engines: *persistence_engines,
            }),
            Subject::Daemons => {
                let now = self.director.synchronisation();
                let now = now.map_err(|error| Failure::listing(&error))?;
                Ok(print::daemons(&now, self.output)?)
            }
            Subject::Services(listing) => self.services(listing, names),
            Subject::Timeouts => {
                let now = self
                    .director
                    .timeouts()
                    .map_err(|error| Failure::listing(&error))?;
                let (tcp, tcp_fin, udp) = (now.tcp, now.tcp_fin, now.udp);
                Ok(writeln!(
                    self.output,
                    "Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}"
                )?)
            }
        }
    }

    fn services(&mut self, listing: &ServiceListing, names: Namer<'_>) -> Result<(), Failure> {
        let services = self
            .director
            .services()
            .map_err(|error| Failure::listing(&error))?;
        if print::services(listing, services, names, self.output)? {
            return Ok(());
        }
        Err(Failure::no_such_service())
    }

    fn local_addresses(&mut self, only: Option<ServiceKey>, numeric: bool) -> Result<(), Failure> {
        let services = self
            .director
            .services()
            .map_err(|error| Failure::listing(&error))?;
        if print::local_addresses(only, services, self.namer(numeric), self.output)? {
            return Ok(());
        }
        Err(Failure::no_such_service())
    }

    fn connections(&mut self, listing: ConnectionListing<'_>) -> Result<(), Failure> {
        let mut written = listing.header(self.output);
        let output = &mut *self.output;
        let listed = self.director.connections(&mut |entry| {
            written = listing.entry(&entry, output);
            written.is_ok()
        });
        written?;
        listed.map_err(|error| Failure::listing(&error))
    }

    fn save(&mut self, numeric: bool) -> Result<(), Failure> {
        let services = self
            .director
            .services()
            .map_err(|error| Failure::listing(&error))?;
        let kept = match self.strict {
            true => print::Kept::AsIpvsadm,
            false => print::Kept::All,
        };
        Ok(print::save(
            services,
            kept,
            self.namer(numeric),
            self.output,
        )?)
    }

    /// `ipvsadm-save [-n]`
    fn save_program(&mut self, arguments: &[String]) -> Result<(), Failure> {
        let flags = arguments
            .iter()
            .filter(|argument| argument.starts_with('-'));
        if flags.clone().any(|flag| flag != "-n") {
            self.output.write_all(SAVE_USAGE.as_bytes())?;
            return Err(Failure {
                status: 1,
                text: String::new(),
            });
        }
        self.save(flags.count() > 0)
    }

    fn restore(&mut self) -> Result<(), Failure> {
        if self.strict {
            return line_by_line::restore(self);
        }
        restore::restore(None, self.input, self.director, self.names)
    }

    /// `ipvsadm-restore`
    fn replace(&mut self) -> Result<(), Failure> {
        if self.strict {
            return line_by_line::replace(self);
        }
        let first = Some(Change::Flush);
        restore::restore(first, self.input, self.director, self.names)
    }

    /// Writes what is left to write.
    fn end(&mut self, result: Result<(), Failure>) -> i32 {
        match result.and(self.output.flush().map_err(Failure::from)) {
            Ok(()) => 0,
            Err(failure) => {
                self.say(&failure);
                failure.status
            }
        }
    }

    fn say(&mut self, failure: &Failure) {
        if !failure.text.is_empty() {
            // When stderr is gone, the status must do.
            let _ = writeln!(self.errors, "{}", failure.text);
        }
    }

    fn namer(&self, numeric: bool) -> Namer<'a> {
        Namer((!numeric).then_some(self.names))
    }
}
