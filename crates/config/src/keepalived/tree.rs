//! keepalived.conf as statements with blocks, before any word has a meaning.

use super::words::{Token, tokens};
use crate::problem::{Problem, Problems};
use crate::source::Place;

/// Blocks are at most 5 deep; more is nonsense, which must not cost the stack.
const DEEPEST: usize = 16;

/// A word, and where it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word {
    pub text: String,
    pub place: Place,
}

/// A keyword with its parameters, and the block that follows it, if any.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statement {
    /// Empty only where a block has none.
    pub words: Vec<Word>,
    pub block: Option<Block>,
}

/// What is between braces.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Block {
    pub open: Place,
    pub statements: Vec<Statement>,
}

/// A line after substitution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    /// Where it is in the file.
    pub(super) place: Place,
    /// It is there as it is here, so words have places of their own.
    pub(super) exact: bool,
}

/// Makes the tree of lines.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// The innermost last.
    levels: Vec<Block>,
    root: Vec<Statement>,
    /// Blocks that are too deep to be kept.
    beyond: usize,
}

impl Statement {
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| &word.text)
    }

    pub fn place(&self) -> Place {
        match (self.words.first(), &self.block) {
            (Some(word), _) => word.place,
            (None, Some(block)) => block.open,
            (None, None) => Place::default(),
        }
    }

    /// What follows the keyword.
    pub fn parameters(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

impl Line<'_> {
    /// Of a part of it.
    pub(super) fn place_of(&self, start: usize, len: usize) -> Place {
        if self.exact {
            Place::new(self.place.file, self.place.start as usize + start, len)
        } else {
            self.place
        }
    }
}

impl Builder {
    pub(super) fn line(&mut self, line: Line<'_>, problems: &mut Problems) {
        let (tokens, unclosed) = tokens(line.text);
        if unclosed {
            let help = "a quoted text ends on the line it begins on";
            problems.push(Problem::error(line.place, "the quote is not closed").help(help));
        }
        let mut statement = Statement::default();
        for placed in tokens {
            let place = line.place_of(placed.start, placed.len);
            match placed.token {
                Token::Word(text) => statement.words.push(Word { text, place }),
                Token::Open => {
                    self.end(&mut statement);
                    self.open(place, problems);
                }
                Token::Close => {
                    self.end(&mut statement);
                    self.close(place, problems);
                }
            }
        }
        self.end(&mut statement);
    }

    /// The whole tree.
    pub(super) fn finish(mut self, problems: &mut Problems) -> Vec<Statement> {
        if let Some(block) = self.levels.last() {
            let message = "the block that begins here has no end: a `}` is missing";
            problems.push(Problem::error(block.open, message));
        }
        while let Some(block) = self.levels.pop() {
            self.attach(block);
        }
        self.root
    }

    fn end(&mut self, statement: &mut Statement) {
        if !statement.words.is_empty() && self.beyond == 0 {
            self.level().push(std::mem::take(statement));
        }
        statement.words.clear();
    }

    fn open(&mut self, place: Place, problems: &mut Problems) {
        if self.levels.len() >= DEEPEST {
            if self.beyond == 0 {
                problems.push(Problem::error(place, "blocks are nested too deeply"));
            }
            self.beyond += 1;
            return;
        }
        let level = self.level();
        if level.last().is_none_or(|last| last.block.is_some()) {
            problems.push(Problem::error(place, "no keyword stands before this `{`"));
            level.push(Statement::default());
        }
        self.levels.push(Block {
            open: place,
            statements: Vec::new(),
        });
    }

    fn close(&mut self, place: Place, problems: &mut Problems) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        match self.levels.pop() {
            Some(block) => self.attach(block),
            None => problems.push(Problem::error(place, "this `}` ends no block")),
        }
    }

    /// To the statement in front of it.
    fn attach(&mut self, block: Block) {
        if let Some(statement) = self.level().last_mut() {
            statement.block = Some(block);
        }
    }

    fn level(&mut self) -> &mut Vec<Statement> {
        match self.levels.last_mut() {
            Some(block) => &mut block.statements,
            None => &mut self.root,
        }
    }
}
