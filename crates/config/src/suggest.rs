//! What was probably meant.

/// The one of `known` that is nearly `word`.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_ascii_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase());
    let pairs = known.into_iter().map(|name| (distance(name), name));
    let (distance, name) = pairs.min_by_key(|(distance, _)| *distance)?;
    (distance <= tolerance(word)).then_some(name)
}

/// A slip in three letters, two in six: more is another word.
fn tolerance(word: &str) -> usize {
    (word.len() / 3).clamp(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_words() {
        let known = ["scheduler", "sorry_server", "weight"];
        for (word, meant) in [
            ("wieght", Some("weight")),
            ("Scheduler", Some("scheduler")),
            ("sory_servr", Some("sorry_server")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
