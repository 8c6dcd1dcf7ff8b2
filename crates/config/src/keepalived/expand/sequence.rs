//! `~SEQ(VAR, [START, [STEP,]] END) LINE` and `~LST(VAR, VALUE, ...) LINE`.

use super::super::tree::Line;
use super::Expander;
use super::parameters::Definition;
use crate::files;
use crate::problem::Problem;

/// What a line is repeated with: names, and in each round their values.
struct Rounds<'t> {
    names: Vec<&'t str>,
    values: Box<dyn Iterator<Item = Vec<String>> + 't>,
}

impl Expander<'_> {
    /// Repeats a line that begins so.
    pub(super) fn sequence(&mut self, line: Line<'_>, depth: usize) -> bool {
        let Some(body) = line.text.strip_prefix('~') else {
            return false;
        };
        let Some((kind, arguments, rest)) = split(body) else {
            return false;
        };
        let Some(arguments) = self.resolved(arguments) else {
            return false;
        };
        let rounds = match kind {
            "SEQ" => numbers(&arguments, false),
            "SEQx" => numbers(&arguments, true),
            "LST" => list(&arguments),
            _ => return false,
        };
        match rounds {
            Some(rounds) => self.repeat(rounds, rest.trim(), line, depth),
            None => {
                let usage =
                    "write ~SEQ(VAR, START, STEP, END) with numbers, or ~LST(VAR, VALUE, ...)";
                let message = format!("`~{kind}({arguments})` cannot be read");
                self.problems
                    .push(Problem::error(line.place, message).help(usage));
            }
        }
        true
    }

    /// Parameters among the arguments are replaced first; none of several lines can be there.
    fn resolved(&mut self, arguments: &str) -> Option<String> {
        let mut text = arguments.to_owned();
        for _ in 0..super::DEEPEST {
            match self.parameters.replace(&text, &self.directory) {
                None => return Some(text),
                Some(lines) if text.len() < super::LONGEST_LINE => text = lines.concat(),
                Some(_) => return None,
            }
        }
        None
    }

    fn repeat(&mut self, rounds: Rounds<'_>, text: &str, line: Line<'_>, depth: usize) {
        let (place, exact) = (line.place, false);
        for values in rounds.values {
            if self.stopped || !self.count(text, place) {
                return;
            }
            for (name, value) in rounds.names.iter().zip(values) {
                self.parameters.define(Definition::of(name, value));
            }
            self.line(Line { text, place, exact }, depth + 1);
        }
        for name in rounds.names {
            self.parameters.forget(name);
        }
    }
}

/// `KIND(ARGUMENTS)REST`; braces in the arguments may hold closing parentheses no more than others.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = text.split_once('(')?;
    let (arguments, rest) = rest.split_once(')')?;
    Some((kind.trim_end(), arguments, rest))
}

fn numbers(arguments: &str, hexadecimal: bool) -> Option<Rounds<'_>> {
    let mut parts = arguments.split(',').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let numbers = parts.map(number).collect::<Option<Vec<i64>>>()?;
    let away = |from: i64, to: i64| if to >= from { 1 } else { -1 };
    let (start, step, end) = match *numbers {
        [end] => (away(0, end), away(0, end), end),
        [start, end] => (start, away(start, end), end),
        [start, step, end] if step != 0 => (start, step, end),
        _ => return None,
    };
    let format = move |number: i64| match hexadecimal {
        true => vec![format!("{number:x}")],
        false => vec![number.to_string()],
    };
    let next = move |number: &i64| number.checked_add(step);
    let within = move |number: &i64| {
        if step > 0 {
            *number <= end
        } else {
            *number >= end
        }
    };
    let values = std::iter::successors(Some(start), next).take_while(within);
    Some(Rounds {
        names: vec![name],
        values: Box::new(values.map(format)),
    })
}

fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn list(arguments: &str) -> Option<Rounds<'_>> {
    let parts = files::parts(arguments);
    let parts: Vec<_> = parts.into_iter().map(str::trim).collect();
    let (names, values) = parts.split_first()?;
    let names = group(names);
    let fits = |value: &&str| group(value).len() == names.len();
    if values.is_empty() || names.contains(&"") || !values.iter().all(fits) {
        return None;
    }
    let owned = |value: &str| group(value).into_iter().map(str::to_owned).collect();
    let values = values.to_vec();
    let values = values.into_iter().map(owned);
    Some(Rounds {
        names,
        values: Box::new(values),
    })
}

/// `{a, b}`, or one alone.
fn group(text: &str) -> Vec<&str> {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    match inner {
        Some(inner) => inner.split(',').map(str::trim).collect(),
        None => vec![text],
    }
}
