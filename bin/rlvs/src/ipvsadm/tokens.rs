//! The grammar of the command line, which is that of the popt library: flags in clusters (`-Ln`),
//! with values attached (`-w5`, `-w=5`, `--weight=5`) or following, `--` ends them.

use super::failure::Failure;
use super::flags::{self, Flag, Value};

/// One thing that was typed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    /// A flag and its value.
    Flag(&'static Flag, Option<&'a str>),
    Word(&'a str),
}

/// Reads arguments one flag at a time.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    arguments: std::slice::Iter<'a, String>,
    /// Flags that are left of a cluster.
    cluster: &'a str,
    /// The argument read last, which messages quote.
    last: &'a str,
    only_words: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(arguments: &'a [String]) -> Self {
        Self {
            arguments: arguments.iter(),
            cluster: "",
            last: "",
            only_words: false,
        }
    }

    pub(super) fn last(&self) -> &'a str {
        self.last
    }

    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Failure> {
        if !self.cluster.is_empty() {
            return self.short().map(Some);
        }
        let Some(argument) = self.argument() else {
            return Ok(None);
        };
        if self.only_words || argument == "-" || !argument.starts_with('-') {
            return Ok(Some(Token::Word(argument)));
        }
        if argument == "--" {
            self.only_words = true;
            return self.next();
        }
        match argument.strip_prefix("--") {
            Some(name) => self.long(name).map(Some),
            None => {
                self.cluster = &argument[1..];
                self.short().map(Some)
            }
        }
    }

    fn long(&mut self, text: &'a str) -> Result<Token<'a>, Failure> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let flag = flags::by_long(name).ok_or_else(|| self.wrong("unknown option"))?;
        self.with_value(flag, attached)
    }

    fn short(&mut self) -> Result<Token<'a>, Failure> {
        let mut letters = self.cluster.chars();
        let flag = letters.next().and_then(flags::by_short);
        let rest = letters.as_str();
        let flag = flag.ok_or_else(|| self.wrong("unknown option"))?;
        if flag.value == Value::None && !rest.starts_with('=') {
            self.cluster = rest;
            return Ok(Token::Flag(flag, None));
        }
        self.cluster = "";
        let attached = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
        self.with_value(flag, attached)
    }

    fn with_value(
        &mut self,
        flag: &'static Flag,
        attached: Option<&'a str>,
    ) -> Result<Token<'a>, Failure> {
        let value = match (flag.value, attached) {
            (Value::None, Some(_)) => return Err(self.wrong("option does not take an argument")),
            (Value::None, None) => None,
            (_, Some(value)) => Some(value),
            (Value::Required(_), None) => {
                let quoted = self.last;
                let missing = || Failure::refused(format!("{quoted}: missing argument"));
                Some(self.argument().ok_or_else(missing)?)
            }
            (Value::Optional(_), None) => self.argument_unless_flag(),
        };
        Ok(Token::Flag(flag, value))
    }

    fn argument_unless_flag(&mut self) -> Option<&'a str> {
        let next = self.arguments.as_slice().first()?;
        if next.starts_with('-') {
            None
        } else {
            self.argument()
        }
    }

    fn argument(&mut self) -> Option<&'a str> {
        self.last = self.arguments.next()?;
        Some(self.last)
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::refused(format!("{}: {why}", self.last))
    }
}
