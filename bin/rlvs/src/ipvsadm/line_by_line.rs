//! `-R` as ipvsadm 1.31 has it, for those who depend on it: each line is a command of its own. What is
//! refused is passed over, a line that is no command ends all, and the status is the last one's.

use std::io::BufRead;

use rlvs_control::Change;

use super::Surroundings;
use super::command::Command;
use super::failure::Failure;
use super::parse::parse;

/// `-R`.
pub(super) fn restore(surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let mut last = Ok(());
    let mut text = String::new();
    while surroundings.input.read_line(&mut text)? > 0 {
        if !line(surroundings, &text, &mut last)? {
            break;
        }
        text.clear();
    }
    last
}

/// `ipvsadm-restore`, a script around it: all is read, all is cleared, comments are left out.
pub(super) fn replace(surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let lines = surroundings.input.lines();
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    surroundings.execute(Command::Change(Change::Flush))?;
    let mut last = Ok(());
    for text in lines.iter().filter(|text| !text.starts_with('#')) {
        if !line(surroundings, text, &mut last)? {
            break;
        }
    }
    last
}

/// Does what a line says; an error ends all, and so does false. How the line fared is in `last`, what
/// was to be said of it is said.
fn line(
    surroundings: &mut Surroundings<'_>,
    text: &str,
    last: &mut Result<(), Failure>,
) -> Result<bool, Failure> {
    let words = text.split_whitespace().map(str::to_owned);
    let mut words = words.collect::<Vec<_>>();
    if words.first().is_some_and(|word| word == "ipvsadm") {
        words.remove(0);
    }
    if words.is_empty() {
        return Ok(true);
    }
    *last = Ok(());
    let command = parse(&words, surroundings.names);
    // These end the program in the midst of reading.
    let is_end = matches!(command, Ok(Command::Help | Command::Version));
    let outcome = match command {
        Ok(Command::Restore) => Err(Failure::not_a_command()),
        command => command.and_then(|command| surroundings.execute(command)),
    };
    if let Err(failure) = outcome {
        if !failure.is_passed_over() {
            return Err(failure);
        }
        surroundings.say(&failure);
        *last = Err(failure.said());
    }
    Ok(!is_end)
}
