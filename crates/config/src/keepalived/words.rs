//! A line of keepalived.conf: comments, words, quotes, braces.

/// What a line consists of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    /// Without its quotes, and with escapes resolved.
    Word(String),
}

/// A token, where it begins and how long it is, in bytes of the line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) len: usize,
}

/// The line up to its comment: `#` or `!` outside of quotes, anywhere.
pub(super) fn without_comment(line: &str) -> &str {
    if !line.contains(['#', '!']) {
        return line;
    }
    let (mut quote, mut bytes) = (None, line.bytes().enumerate());
    while let Some((index, byte)) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => drop(bytes.next()),
            (b'"' | b'\'', None) if line[index + 1..].contains(char::from(byte)) => {
                quote = Some(byte);
            }
            (byte, Some(open)) if byte == open => quote = None,
            (b'#' | b'!', None) => return &line[..index],
            _ => {}
        }
    }
    line
}

/// The tokens of a line; the second tells whether a quote is left open.
pub(super) fn tokens(line: &str) -> (Vec<Placed>, bool) {
    let (mut tokens, mut at, mut open) = (Vec::new(), 0, false);
    let bytes = line.as_bytes();
    while at < bytes.len() {
        let len = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'{' => push(&mut tokens, Token::Open, at, 1),
            b'}' => push(&mut tokens, Token::Close, at, 1),
            _ => {
                let (word, len, unclosed) = word(&line[at..]);
                open |= unclosed;
                push(&mut tokens, Token::Word(word), at, len)
            }
        };
        at += len;
    }
    (tokens, open)
}

fn push(tokens: &mut Vec<Placed>, token: Token, start: usize, len: usize) -> usize {
    tokens.push(Placed { token, start, len });
    len
}

/// The word that `text` begins with, how many bytes it took, and whether its quote is left open.
fn word(text: &str) -> (String, usize, bool) {
    let special = |byte: u8| byte.is_ascii_whitespace() || b"{}\"'\\".contains(&byte);
    let end = text.bytes().position(special).unwrap_or(text.len());
    match text.as_bytes().get(end) {
        Some(b'"' | b'\'' | b'\\') => quoted_word(text),
        _ => (text[..end].to_owned(), end, false),
    }
}

fn quoted_word(text: &str) -> (String, usize, bool) {
    let (mut word, mut quote, mut at) = (String::new(), None, 0);
    while let Some(character) = text[at..].chars().next() {
        match (character, quote) {
            ('\\', _) => {
                let (resolved, len) = escape(&text[at + 1..]);
                word.push_str(&resolved);
                at += 1 + len;
                continue;
            }
            ('"' | '\'', None) => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            (' ' | '\t' | '\r' | '\n' | '\x0b' | '\x0c' | '{' | '}', None) => break,
            _ => word.push(character),
        }
        at += character.len_utf8();
    }
    (word, at, quote.is_some())
}

/// What stands for the escape after `\`, and its length.
fn escape(text: &str) -> (String, usize) {
    let Some(first) = text.chars().next() else {
        return ("\\".to_owned(), 0);
    };
    let simple = match first {
        'a' => '\x07',
        'b' => '\x08',
        'E' => '\x1b',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '0'..='7' => return number(text, 0, 8, 3),
        'x' => return number(text, 1, 16, usize::MAX),
        'c' => return control(text),
        other => other,
    };
    (simple.to_string(), first.len_utf8())
}

/// Digits after `skip` bytes as a character; without any, the letter stands for itself.
fn number(text: &str, skip: usize, radix: u32, most: usize) -> (String, usize) {
    let digits = text[skip..].chars().take(most);
    let digits = digits.take_while(|digit| digit.is_digit(radix));
    let (mut value, mut len) = (0_u32, 0);
    for digit in digits {
        value = value.wrapping_mul(radix) + digit.to_digit(radix).unwrap_or(0);
        len += 1;
    }
    if len == 0 {
        return (text[..skip].to_owned(), skip);
    }
    (char::from((value & 0xff) as u8).to_string(), skip + len)
}

/// `cC`: the control version of C.
fn control(text: &str) -> (String, usize) {
    match text.as_bytes().get(1) {
        Some(byte) if byte.is_ascii() => (char::from(byte & 0x1f).to_string(), 2),
        _ => ("c".to_owned(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_begin_outside_of_quotes() {
        for (line, expected) in [
            ("weight 3 # heavy", "weight 3 "),
            ("rout!er_id", "rout"),
            ("notify \"a # b\" ! c", "notify \"a # b\" "),
            ("it's # said", "it's "),
            ("path \"a\\\"#\" # c", "path \"a\\\"#\" "),
            ("# all", ""),
        ] {
            assert_eq!(without_comment(line), expected, "{line}");
        }
    }

    #[test]
    fn words_are_as_the_shell_has_them() {
        for (line, expected) in [
            ("abcd\" efg h jkl \"mnop", vec!["abcd efg h jkl mnop"]),
            ("abcd \"efg h jkl\" mnop", vec!["abcd", "efg h jkl", "mnop"]),
            ("a{b}c", vec!["a", "{", "b", "}", "c"]),
            ("'a } b'\t\"it's\"", vec!["a } b", "it's"]),
            ("\"\\\"x\\\"\" \\\\d", vec!["\"x\"", "\\d"]),
            (r"\n\x41\101\cA\q \", vec!["\nAA\x01q", "\\"]),
            ("über \"ö ü\"", vec!["über", "ö ü"]),
            ("\"\" x", vec!["", "x"]),
        ] {
            let (tokens, open) = tokens(line);
            let words = tokens.into_iter().map(|placed| match placed.token {
                Token::Open => "{".to_owned(),
                Token::Close => "}".to_owned(),
                Token::Word(word) => word,
            });
            assert_eq!(words.collect::<Vec<_>>(), expected, "{line}");
            assert!(!open, "{line}");
        }
        assert!(tokens("a \"b c").1);
    }
}
