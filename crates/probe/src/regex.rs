//! Regular expressions on answers: PCRE2, with keepalived's options, bounded in time.

use pcre2::bytes::{Regex as Compiled, RegexBuilder};
use rlvs_check::spec::{Regex, RegexOption};

/// How much an expression may backtrack, rather than PCRE2's ten million: a few milliseconds.
const LIMIT: &str = "(*LIMIT_MATCH=1000000)(*LIMIT_HEAP=20000)";

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Matcher {
    compiled: Compiled,
    no_match: bool,
    min_offset: usize,
    max_offset: Option<usize>,
}

impl Matcher {
    pub(crate) fn new(regex: &Regex) -> Result<Self, String> {
        let mut builder = RegexBuilder::new();
        builder.jit_if_available(true);
        let (mut verbs, mut letters) = (String::from(LIMIT), String::new());
        for option in &regex.options {
            match set(&mut builder, *option) {
                Effect::Done => {}
                Effect::Verb(verb) => verbs += verb,
                Effect::Letter(letter) => letters.push(letter),
                Effect::Forbids(what) if regex.pattern.contains(what) => {
                    return Err(format!(
                        "{:?}: {what} is ruled out by its options",
                        regex.pattern
                    ));
                }
                Effect::Forbids(_) => {}
                Effect::Unknown => return Err(refused(*option)),
            }
        }
        if !letters.is_empty() {
            verbs += &format!("(?{letters})");
        }
        let compiled = builder
            .build(&format!("{verbs}{}", regex.pattern))
            .map_err(|error| format!("regular expression {:?}: {error}", regex.pattern))?;
        Ok(Self {
            compiled,
            no_match: regex.no_match,
            min_offset: regex.min_offset,
            max_offset: regex.max_offset,
        })
    }

    /// Whether an answer is as the check wants it.
    pub(crate) fn accepts(&self, answer: &[u8]) -> Result<bool, String> {
        if self.min_offset > answer.len() {
            return Ok(self.no_match);
        }
        let found = self
            .compiled
            .find_at(answer, self.min_offset)
            .map_err(|error| format!("matching the answer: {error}"))?;
        let found =
            found.is_some_and(|found| self.max_offset.is_none_or(|max| found.start() <= max));
        Ok(found != self.no_match)
    }
}

/// What an option comes to.
enum Effect {
    Done,
    /// Text ahead of the expression.
    Verb(&'static str),
    /// An option inside the expression.
    Letter(char),
    /// The expression may not have this.
    Forbids(&'static str),
    Unknown,
}

fn set(builder: &mut RegexBuilder, option: RegexOption) -> Effect {
    use RegexOption::*;
    match option {
        Caseless => drop(builder.caseless(true)),
        Dotall => drop(builder.dotall(true)),
        Extended => drop(builder.extended(true)),
        Multiline => drop(builder.multi_line(true)),
        Ucp => drop(builder.ucp(true)),
        Utf => drop(builder.utf(true)),
        // These have no effect on what matches here.
        AutoCallout | UseOffsetLimit => {}
        NoAutoPossess => return Effect::Verb("(*NO_AUTO_POSSESS)"),
        NoDotstarAnchor => return Effect::Verb("(*NO_DOTSTAR_ANCHOR)"),
        NoStartOptimize => return Effect::Verb("(*NO_START_OPT)"),
        Dupnames => return Effect::Letter('J'),
        NoAutoCapture => return Effect::Letter('n'),
        Ungreedy => return Effect::Letter('U'),
        NeverBackslashC => return Effect::Forbids("\\C"),
        NeverUcp => return Effect::Forbids("(*UCP)"),
        NeverUtf => return Effect::Forbids("(*UTF)"),
        AllowEmptyClass | AltBsux | AltCircumflex | AltVerbnames | DollarEndonly | Firstline
        | MatchUnsetBackref => return Effect::Unknown,
    }
    Effect::Done
}

fn refused(option: RegexOption) -> String {
    format!("regex option {option:?} is not supported: write the expression without it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(regex: &Regex, answer: &str) -> bool {
        Matcher::new(regex)
            .unwrap()
            .accepts(answer.as_bytes())
            .unwrap()
    }

    #[test]
    fn perl_expressions() {
        assert!(
            accepts(&Regex::new("^OK$"), "OK\n"),
            "$ is also before a last newline"
        );
        assert!(accepts(&Regex::new("(a)b\\1(?=c)"), "abac"));
        assert!(!accepts(&Regex::new("ok"), "OK"));
    }

    #[test]
    fn options() {
        let with = |pattern: &str, options: &[RegexOption]| Regex {
            options: options.to_vec(),
            ..Regex::new(pattern)
        };
        assert!(accepts(&with("ok", &[RegexOption::Caseless]), "OK"));
        assert!(accepts(&with("^b$", &[RegexOption::Multiline]), "a\nb\nc"));
        assert!(accepts(
            &with("(?<n>a)(?<n>b)", &[RegexOption::Dupnames]),
            "ab"
        ));
        assert!(Matcher::new(&with("(?<n>a)(?<n>b)", &[])).is_err());
        assert!(Matcher::new(&with("a", &[RegexOption::Firstline])).is_err());
        assert!(Matcher::new(&with("(*UTF)a", &[RegexOption::NeverUtf])).is_err());
    }

    #[test]
    fn offsets_and_no_match() {
        let regex = Regex {
            min_offset: 2,
            max_offset: Some(4),
            ..Regex::new("x")
        };
        let at = |place: usize| format!("{}x{}", "-".repeat(place), "-".repeat(9 - place));
        let found: Vec<usize> = (0..=9)
            .filter(|place| accepts(&regex, &at(*place)))
            .collect();
        assert_eq!(found, [2, 3, 4]);
        let not = Regex {
            no_match: true,
            ..regex
        };
        assert!(accepts(&not, &at(1)) && !accepts(&not, &at(3)));
        assert!(accepts(&not, "-"));
    }

    #[test]
    fn an_expression_that_backtracks_for_ever_ends() {
        let matcher = Matcher::new(&Regex::new("^(a+)+$")).unwrap();
        let answer = format!("{}!", "a".repeat(1000));
        assert!(matcher.accepts(answer.as_bytes()).is_err());
    }
}
