//! The flags in the words of clap, which does not read them, but knows what manual pages and
//! completions are made of.

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, Command};

use super::flags::{FLAGS, Flag, Meaning, Value};
pub(crate) use super::help::USAGE;
use super::options::Opt;

pub(crate) const NAME: &str = "ipvsadm";

const ABOUT: &str = "Set up and list the virtual services of the Linux Virtual Server";
const LONG_ABOUT: &str = "\
Set up and list the virtual services of the Linux Virtual Server, kept by the director of this \
network namespace (rlvs run). Command lines, output and statuses are those of ipvsadm 1.31. The first \
argument says what to do, exactly one of them; options follow in any order. Restoring makes all changes \
or none, and saving keeps thresholds; with RLVS_STRICT=1 in the environment, or strict = true under \
[ipvsadm] in /etc/rlvs/rlvs.toml, both are as in ipvsadm 1.31, line by line and without.";
const RESTORE: &str = "Replace all virtual services by those of the commands on stdin, or none";
const LONG_RESTORE: &str = "\
Replace all virtual services by those of the commands on stdin, or none. With RLVS_STRICT=1 in the \
environment, or strict = true under [ipvsadm] in /etc/rlvs/rlvs.toml, it is as in ipvsadm 1.31: all are \
deleted first, and what is refused is passed over.";

/// `ipvsadm` and the two that come with it.
pub(crate) fn all() -> [Command; 3] {
    let save = program(
        "ipvsadm-save",
        "Print the commands that make all virtual services",
    );
    let numeric = Arg::new("numeric").short('n').action(ArgAction::SetTrue);
    [
        ipvsadm(),
        save.arg(numeric.help("addresses and ports as numbers")),
        program("ipvsadm-restore", RESTORE).long_about(LONG_RESTORE),
    ]
}

fn ipvsadm() -> Command {
    program(NAME, ABOUT)
        .long_about(LONG_ABOUT)
        .args(FLAGS.iter().map(arg))
}

fn program(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .version(env!("CARGO_PKG_VERSION"))
}

fn arg(flag: &Flag) -> Arg {
    let heading = match flag.meaning {
        Meaning::Command(_) => "Commands",
        Meaning::Service(_) => "Services",
        _ => "Options",
    };
    let mut arg = Arg::new(flag.long)
        .long(flag.long)
        .help(flag.help)
        .help_heading(heading);
    if let Some(short) = flag.short {
        arg = arg.short(short);
    }
    match flag.value {
        Value::None => arg.action(ArgAction::SetTrue),
        Value::Optional(name) => arg.value_name(name).num_args(0..=1),
        Value::Required(name) => arg.value_name(name).value_parser(values(flag)),
    }
}

/// What a value may be, where that is a choice.
fn values(flag: &Flag) -> ValueParser {
    let names: &[&str] = match flag.meaning {
        Meaning::Other(Opt::Scheduler) => &rlvs_control::rules::SCHEDULERS,
        Meaning::Other(Opt::Engine) => &["sip"],
        Meaning::Other(Opt::TunnelType) => &["ipip", "gue", "gre"],
        Meaning::Other(Opt::ClientAddress) => &["toa", "proxy", "none"],
        Meaning::Command(_) => &["master", "backup"],
        _ => return ValueParser::string(),
    };
    PossibleValuesParser::new(names).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_contradict_nothing() {
        for program in all() {
            program.debug_assert();
        }
    }
}
