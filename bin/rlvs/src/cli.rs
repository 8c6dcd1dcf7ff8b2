//! The command line of `rlvs`, and who answers it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::ipvsadm::{Program, Surroundings, SystemNames};
use crate::remote::Whom;

/// The Linux Virtual Server on XDP.
#[derive(Debug, Parser)]
#[command(name = "rlvs", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up and list virtual services: the command `ipvsadm`, under this name
    #[command(disable_help_flag = true)]
    Ipvsadm {
        /// As for ipvsadm; `-h` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    Director(crate::director::Arguments),
    Realserver(crate::realserver::Arguments),
    Doctor(crate::doctor::Arguments),
    /// Be the director of this network namespace, in the foreground
    Run {
        /// Configuration file; /etc/rlvs/rlvs.toml if it is there, else the defaults
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        log: crate::log::Arguments,
    },
    Check(crate::configuration::Check),
    Plan(crate::site::Preview),
    Apply(crate::site::Apply),
    Convert(crate::configuration::Convert),
    /// Print the JSON schema of rlvs.toml, for editors
    Schema {
        /// The OpenAPI document of the director's API instead
        #[arg(long)]
        api: bool,
    },
    Drain(crate::drain::Arguments),
    /// Let destinations that are being drained take connections again, with the weight they had
    Undrain(crate::drain::Which),
    Proc(crate::proc::Arguments),
    Sysctl(crate::sysctl::Arguments),
    Handover(crate::handover::Arguments),
    Stop(crate::stop::Arguments),
    /// End forwarding: detach all programs, remove tables, rules and connections
    Down,
    /// Show how the director fares: interfaces, next hops, connections, dropped packets
    Status {
        /// Print all of it as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        whom: Whom,
    },
    Token(crate::token::Arguments),
    Events(crate::events::Arguments),
    Completions(crate::manual::Completions),
    Manual(crate::manual::Manual),
}

/// Runs the program that `arguments` call, the name it is called by first.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().collect::<Vec<_>>();
    let name = arguments
        .first()
        .and_then(|path| Path::new(path).file_name());
    if let Some(program) = name.and_then(OsStr::to_str).and_then(Program::named) {
        return ipvsadm(program, &arguments.split_off(1));
    }
    match Cli::parse_from(arguments).command {
        Command::Ipvsadm { arguments } => ipvsadm(Program::Ipvsadm, &arguments),
        Command::Director(arguments) => crate::director::run(&arguments),
        Command::Realserver(arguments) => crate::realserver::run(arguments),
        Command::Doctor(arguments) => crate::doctor::run(&arguments),
        Command::Run { config, log } => finish(crate::run::run(config.as_deref(), &log)),
        Command::Plan(arguments) => report(crate::site::plan(&arguments)),
        Command::Apply(arguments) => report(crate::site::apply(&arguments)),
        Command::Check(arguments) => report(crate::configuration::check(&arguments)),
        Command::Convert(arguments) => report(crate::configuration::convert(&arguments)),
        Command::Schema { api } => finish(crate::configuration::schema(api)),
        Command::Drain(arguments) => finish(crate::drain::drain(&arguments)),
        Command::Undrain(which) => finish(crate::drain::undrain(&which)),
        Command::Proc(arguments) => finish(crate::proc::start(&arguments)),
        Command::Sysctl(arguments) => finish(crate::sysctl::start(&arguments)),
        Command::Handover(arguments) => finish(crate::handover::run(&arguments)),
        Command::Stop(arguments) => finish(crate::stop::run(&arguments)),
        Command::Down => finish(crate::run::down()),
        Command::Status { json, whom } => finish(crate::status::run(json, &whom)),
        Command::Token(arguments) => finish(crate::token::run(&arguments)),
        Command::Events(arguments) => finish(crate::events::run(&arguments)),
        Command::Completions(arguments) => {
            finish(crate::manual::completions(&arguments, Cli::command()))
        }
        Command::Manual(arguments) => finish(crate::manual::manual(&arguments, Cli::command())),
    }
}

fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| finish(Err(error)))
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn ipvsadm(program: Program, arguments: &[OsString]) -> ExitCode {
    let mut client = match Whom::of_environment().client() {
        Ok(client) => client,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let status = program.run(
        arguments,
        &mut Surroundings {
            director: &mut client,
            names: &SystemNames::default(),
            input: &mut io::stdin().lock(),
            output: &mut io::BufWriter::new(io::stdout().lock()),
            errors: &mut io::stderr().lock(),
            strict: strict(),
        },
    );
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

/// Whether `ipvsadm` is to be as the old one to the last: by the environment, or rlvs.toml. What is wrong
/// with that file the daemon says.
fn strict() -> bool {
    match std::env::var("RLVS_STRICT").as_deref() {
        Ok("1") => true,
        Ok("0") => false,
        _ => rlvs_config::ipvsadm().strict,
    }
}
