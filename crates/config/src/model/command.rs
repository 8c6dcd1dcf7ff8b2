//! Programs that are run when something happens.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A program with its arguments; no shell.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Command {
    /// The program's path first.
    pub words: Vec<String>,
    /// Who it runs as; without it, `keepalived_script` if there is such a user, or who runs rlvs.
    pub user: Option<String>,
    /// Its group; without it, the user's.
    pub group: Option<String>,
}

impl Command {
    /// Of one text, with words as [`split`] has them.
    pub fn new(text: &str) -> Self {
        Self {
            words: split(text),
            user: None,
            group: None,
        }
    }

    /// The words in one text.
    pub fn text(&self) -> String {
        join(&self.words)
    }
}

/// Words that spaces separate, and quotes of both kinds hold together, as in keepalived.conf(5).
pub fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match (character, quote) {
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (character, Some(open)) if character == open => quote = None,
            (character, None) if character.is_whitespace() => words.extend(word.take()),
            (character, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// A text that [`split`] makes these words of. A word with both kinds of quotes is put together.
pub fn join(words: &[String]) -> String {
    let words = words.iter().map(|word| quoted(word));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> Cow<'_, str> {
    let special = |character: char| character.is_whitespace() || matches!(character, '\'' | '"');
    if !word.is_empty() && !word.contains(special) {
        return Cow::Borrowed(word);
    }
    let parts = word.split('\'').map(|part| format!("'{part}'"));
    Cow::Owned(parts.collect::<Vec<_>>().join("\"'\""))
}

/// As files have it: a text, or a table where a user is named.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
struct Form {
    /// The program's path and its arguments; quotes hold words together.
    command: String,
    /// Who it runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Its group; the user's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.user.is_none() && self.group.is_none() {
            return serializer.serialize_str(&self.text());
        }
        let (command, user, group) = (self.text(), self.user.clone(), self.group.clone());
        let form = Form {
            command,
            user,
            group,
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::written::text_or(deserializer, "a command, or a table", |text| {
            Ok(Self::new(text))
        })
        .map(|either: crate::written::Either<Self, Form>| match either {
            crate::written::Either::Text(command) => command,
            crate::written::Either::Table(form) => Self {
                words: split(&form.command),
                user: form.user,
                group: form.group,
            },
        })
    }
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<Form>();
        json_schema!({
            "description": "A program with its arguments",
            "anyOf": [{ "type": "string" }, table]
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        for (text, words) in [
            (
                "/bin/x up 'a b' \"c 'd\"",
                vec!["/bin/x", "up", "a b", "c 'd"],
            ),
            ("  /bin/x  ''  ", vec!["/bin/x", ""]),
            ("", vec![]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }

    proptest! {
        #[test]
        fn words_survive(words in prop::collection::vec("[a '\"\t\\\\é]{0,6}", 0..4)) {
            prop_assert_eq!(split(&join(&words)), words);
        }
    }
}
