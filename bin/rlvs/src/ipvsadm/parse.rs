//! From arguments to a [`Command`].

use rlvs_control::SyncRole;

use super::command::Command;
use super::failure::Failure;
use super::flags::{Meaning, Verb};
use super::names::Names;
use super::tokens::{Token, Tokens};
use super::typed::{Typed, timeout};

/// Reads one command line, without the program's name.
pub(super) fn parse(arguments: &[String], names: &dyn Names) -> Result<Command, Failure> {
    if arguments.is_empty() {
        return Typed::default().command(Verb::List, &[]);
    }
    let mut tokens = Tokens::new(arguments);
    let (verb, role) = verb(&mut tokens)?;
    match verb {
        Verb::Help => Ok(Command::Help),
        Verb::Version => Ok(Command::Version),
        verb => {
            let (mut typed, words) = rest(tokens, names)?;
            typed.daemon.role = role;
            let (timeouts, words) = timeouts(verb, &words)?;
            if let Some(word) = words.first() {
                return Err(Failure::usage(format!("unexpected argument {word}")));
            }
            typed.command(verb, &timeouts)
        }
    }
}

/// The command comes first; which of the synchronisation daemons it is about, if it is.
fn verb(tokens: &mut Tokens<'_>) -> Result<(Verb, SyncRole), Failure> {
    let Ok(Some(Token::Flag(flag, value))) = tokens.next() else {
        return Err(Failure::not_a_command());
    };
    match (flag.meaning, value) {
        (Meaning::Command(verb), None | Some("master")) => Ok((verb, SyncRole::Master)),
        (Meaning::Command(verb), Some("backup")) => Ok((verb, SyncRole::Backup)),
        (Meaning::Command(Verb::StartDaemon), _) => {
            Err(Failure::usage("illegal start-daemon parameter specified"))
        }
        (Meaning::Command(_), _) => Err(Failure::usage("illegal start_daemon specified")),
        _ => Err(Failure::not_a_command()),
    }
}

fn rest<'a>(mut tokens: Tokens<'a>, names: &dyn Names) -> Result<(Typed, Vec<&'a str>), Failure> {
    let (mut typed, mut words) = (Typed::default(), Vec::new());
    while let Some(token) = tokens.next()? {
        match token {
            Token::Word(word) => words.push(word),
            Token::Flag(flag, _) if matches!(flag.meaning, Meaning::Command(_)) => {
                return Err(Failure::usage(format!(
                    "invalid option `{}'",
                    tokens.last()
                )));
            }
            Token::Flag(flag, value) => typed.take(flag, value, names)?,
        }
    }
    typed.read_scheduler_flags()?;
    Ok((typed, words))
}

/// The three values of `--set`, and the words that are too many.
fn timeouts<'a, 'w>(
    verb: Verb,
    words: &'w [&'a str],
) -> Result<(Vec<u32>, &'w [&'a str]), Failure> {
    if verb != Verb::Set {
        return Ok((Vec::new(), words));
    }
    let Some((values, words)) = words.split_at_checked(3) else {
        return Err(Failure::usage("--set option requires 3 timeout values"));
    };
    let values = values
        .iter()
        .map(|text| timeout(text, 0))
        .collect::<Result<_, _>>()?;
    Ok((values, words))
}
