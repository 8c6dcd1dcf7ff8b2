//! `rlvs sysctl`: the settings of IPVS, read and written as by sysctl(8).
//!
//! All that one command sets is one transaction: a value that is refused leaves the others as
//! they were.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rlvs_control::sysctl::{PREFIX, SETTINGS, Setting, find};
use rlvs_control::{Change, Director, Transaction};

use crate::output;
use crate::remote::Whom;

/// Read and set the settings of IPVS (net.ipv4.vs), as sysctl does: NAME, NAME=VALUE, or all
#[derive(Debug, Args)]
#[command(after_long_help = settings())]
pub struct Arguments {
    /// A setting to print, or to set with `=VALUE`; net.ipv4.vs. in front may be left out
    #[arg(value_name = "NAME[=VALUE]")]
    settings: Vec<String>,
    /// Every one of them is to be set
    #[arg(short, long, requires = "settings")]
    write: bool,
    /// Print values without names
    #[arg(short = 'n', long)]
    values: bool,
    /// Print nothing of what is set
    #[arg(short, long)]
    quiet: bool,
    /// Set what FILE says of net.ipv4.vs, and leave its other lines alone; `-` is the input
    #[arg(short = 'p', long, value_name = "FILE", num_args = 0..=1,
          default_missing_value = "/etc/sysctl.conf", conflicts_with = "settings")]
    load: Option<PathBuf>,
    /// Print all, which is what is done without a name
    #[arg(short, long, conflicts_with_all = ["settings", "load"])]
    all: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Does what is asked for.
pub(crate) fn start(arguments: &Arguments) -> Result<()> {
    let text = run(arguments, &mut arguments.whom.client()?)?;
    Ok(output::print(&text)?)
}

/// The same at any director; what is to be printed.
pub fn run(arguments: &Arguments, director: &mut dyn Director) -> Result<String> {
    let wanted = match &arguments.load {
        Some(file) => of_file(&read(file)?, file)?,
        None => of_arguments(arguments)?,
    };
    let changes: Vec<_> = wanted.iter().filter_map(Wanted::change).collect();
    if !changes.is_empty() {
        director.apply(&Transaction::from(changes))?;
    }
    let is_shown = |wanted: &&Wanted| !(arguments.quiet && wanted.value.is_some());
    let shown: Vec<_> = wanted.iter().filter(is_shown).collect();
    match shown.is_empty() {
        true => Ok(String::new()),
        false => show(&shown, arguments.values, director),
    }
}

/// A setting that is asked for, or is to be set.
struct Wanted {
    setting: &'static Setting,
    value: Option<String>,
}

impl Wanted {
    fn change(&self) -> Option<Change> {
        self.value.clone().map(|value| Change::SetSysctl {
            name: self.setting.name.to_owned(),
            value,
        })
    }
}

fn of_arguments(arguments: &Arguments) -> Result<Vec<Wanted>> {
    if arguments.settings.is_empty() {
        let all = SETTINGS.iter().map(|setting| Wanted {
            setting,
            value: None,
        });
        return Ok(all.collect());
    }
    let wanted = |text: &String| match text.split_once('=') {
        Some((name, value)) => to_set(name, value),
        None if arguments.write => bail!("{text}: to be set it needs a value: `-w {text}=VALUE'"),
        None => Ok(Wanted {
            setting: find(text.trim())?,
            value: None,
        }),
    };
    arguments.settings.iter().map(wanted).collect()
}

fn to_set(name: &str, value: &str) -> Result<Wanted> {
    Ok(Wanted {
        setting: find(name.trim())?,
        value: Some(value.trim().to_owned()),
    })
}

/// As sysctl.conf(5) has it. A line with `-` in front is to fail without harm: it is left out.
fn of_file(text: &str, file: &Path) -> Result<Vec<Wanted>> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let may_fail = line.starts_with('-');
        let assignment = line.trim_start_matches('-');
        match of_line(assignment) {
            Ok(wanted) => all.extend(wanted),
            Err(_) if may_fail => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{}:{}", file.display(), index + 1));
            }
        }
    }
    Ok(all)
}

/// Nothing of a line about other parts of the kernel.
fn of_line(line: &str) -> Result<Option<Wanted>> {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    if !name.replace('/', ".").starts_with(PREFIX) {
        return Ok(None);
    }
    let wanted = to_set(name, value)?;
    wanted.setting.take(value)?;
    Ok(Some(wanted))
}

fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

fn show(wanted: &[&Wanted], values_only: bool, director: &mut dyn Director) -> Result<String> {
    let present = director.sysctls()?;
    let mut text = String::new();
    for Wanted { setting, .. } in wanted {
        let name = setting.name;
        let of_it = present.iter().find(|value| value.name == name);
        let value = of_it.with_context(|| {
            format!(
                "the director does not know {PREFIX}{name}: restart it with the rlvs installed now"
            )
        })?;
        match values_only {
            true => writeln!(text, "{}", value.value)?,
            false => writeln!(text, "{PREFIX}{name} = {}", value.value)?,
        }
    }
    Ok(text)
}

/// For the help: all of them, then what stays at its default, by the reason for that.
fn settings() -> String {
    let mut text = "Settings, with their defaults:\n".to_owned();
    for Setting {
        name,
        default,
        about,
        ..
    } in &SETTINGS
    {
        let default = default.replace('\t', " ");
        text += &format!("  {name} = {default}\n      {about}\n");
    }
    text += "\nThese stay at their defaults:\n";
    let reasons: BTreeSet<_> = SETTINGS.iter().filter_map(Setting::fixed).collect();
    for why in reasons {
        let of_it = SETTINGS
            .iter()
            .filter(|setting| setting.fixed() == Some(why));
        let names: Vec<_> = of_it.map(|setting| setting.name).collect();
        text += &format!("  {}\n      {why}\n", names.join(", "));
    }
    text
}
