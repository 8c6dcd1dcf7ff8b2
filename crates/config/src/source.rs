//! The texts that were read, and places in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All files of one configuration, in the order they were opened.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    text: Arc<str>,
}

/// Some bytes of one of the files.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    pub file: u32,
    pub start: u32,
    pub len: u32,
}

impl Sources {
    /// Keeps a text, and answers the number that places in it have.
    pub fn add(&mut self, path: &Path, text: String) -> u32 {
        let (path, text) = (path.to_owned(), text.into());
        self.0.push(Source { path, text });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    pub fn path(&self, file: u32) -> &Path {
        self.get(file).map_or(Path::new(""), |source| &source.path)
    }

    pub fn text(&self, file: u32) -> Arc<str> {
        self.get(file)
            .map_or_else(|| "".into(), |source| Arc::clone(&source.text))
    }

    /// Line and column of a place, counted from 1.
    pub fn line_and_column(&self, place: Place) -> (usize, usize) {
        let text = self.text(place.file);
        let mut start = text.len().min(place.start as usize);
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    fn get(&self, file: u32) -> Option<&Source> {
        self.0.get(file as usize)
    }
}

impl Place {
    pub fn new(file: u32, start: usize, len: usize) -> Self {
        let short = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (start, len) = (short(start), short(len));
        Self { file, start, len }
    }
}
