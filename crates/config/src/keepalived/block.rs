//! What the words of a block mean: a table of keywords for each kind of block.
//!
//! A new keyword is one line in the table of its block.

use super::notes::Notes;
use super::tree::Statement;
use crate::problem::Problem;

/// A keyword of a block that makes a `T`.
pub(crate) struct Keyword<T: 'static> {
    /// Its name, and older ones.
    names: &'static [&'static str],
    take: Take<T>,
}

/// What becomes of a statement.
enum Take<T: 'static> {
    /// Its value is taken over.
    Value(fn(&mut T, &mut Notes, &Statement)),
    /// It has a block, which is read.
    Block(fn(&mut T, &mut Notes, &Statement)),
    /// It is known, and has no meaning here, for this reason.
    Unacted(&'static str),
}

/// A keyword with parameters.
pub(crate) const fn value<T>(
    names: &'static [&'static str],
    take: fn(&mut T, &mut Notes, &Statement),
) -> Keyword<T> {
    let take = Take::Value(take);
    Keyword { names, take }
}

/// A keyword with a block.
pub(crate) const fn block<T>(
    names: &'static [&'static str],
    take: fn(&mut T, &mut Notes, &Statement),
) -> Keyword<T> {
    let take = Take::Block(take);
    Keyword { names, take }
}

/// A keyword that is not acted on.
pub(crate) const fn unacted<T>(names: &'static [&'static str], why: &'static str) -> Keyword<T> {
    let take = Take::Unacted(why);
    Keyword { names, take }
}

/// Reads the statements of a block, or of the file.
pub(crate) fn read<T>(
    statements: &[Statement],
    tables: &[&[Keyword<T>]],
    target: &mut T,
    notes: &mut Notes,
) {
    for statement in statements.iter().filter(|it| !it.words.is_empty()) {
        let keyword = statement.keyword();
        let all = || tables.iter().flat_map(|table| table.iter());
        match all().find(|known| known.names.contains(&keyword)) {
            None => {
                let names = all().flat_map(|known| known.names.iter().copied());
                unknown(statement, names, notes);
            }
            Some(known) => {
                let is_keyword = |text: &str| all().any(|known| known.names.contains(&text));
                known.stray(statement, is_keyword, notes);
                known.take(statement, target, notes);
            }
        }
    }
}

/// Reads the block of a statement.
pub(crate) fn read_block<T>(
    statement: &Statement,
    tables: &[&[Keyword<T>]],
    target: &mut T,
    notes: &mut Notes,
) {
    if let Some(block) = &statement.block {
        read(&block.statements, tables, target, notes);
    }
}

impl<T> Keyword<T> {
    /// Says it when another keyword follows on the same line, which is none there.
    fn stray(&self, statement: &Statement, is_keyword: impl Fn(&str) -> bool, notes: &mut Notes) {
        if !matches!(self.take, Take::Value(_)) {
            return;
        }
        let after = statement.parameters().iter().skip(1);
        for word in after.filter(|word| is_keyword(&word.text)) {
            let message = format!("`{}` has to be on a line of its own", word.text);
            notes.warn(word.place, statement.keyword(), message);
        }
    }

    fn take(&self, statement: &Statement, target: &mut T, notes: &mut Notes) {
        match (&self.take, &statement.block) {
            (Take::Unacted(why), _) => notes.unacted(statement, why),
            (Take::Value(take), None) | (Take::Block(take), Some(_)) => {
                take(target, notes, statement);
            }
            (Take::Value(take), Some(block)) => {
                notes.warn(
                    block.open,
                    statement.keyword(),
                    "it has no block, which is left out",
                );
                take(target, notes, statement);
            }
            (Take::Block(_), None) => {
                notes.wrong(statement, "its block `{ ... }` is missing");
            }
        }
    }
}

fn unknown<'a>(statement: &Statement, names: impl Iterator<Item = &'a str>, notes: &mut Notes) {
    let keyword = statement.keyword();
    let message = match statement.block {
        Some(_) => "unknown keyword; it is left out with its block",
        None => "unknown keyword; it is left out",
    };
    let problem = Problem::warning(statement.place(), message).key(keyword);
    notes.problems.push(problem.suggest(keyword, names));
}
