//! Columns that are as wide as their widest cell.

use std::fmt::{self, Display, Formatter};

use anstyle::Style;

/// Rows of equally many cells.
pub(super) struct Table<const COLUMNS: usize> {
    indent: &'static str,
    rows: Vec<[Cell; COLUMNS]>,
}

pub(super) struct Cell {
    text: String,
    right: bool,
    style: Style,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(indent: &'static str) -> Self {
        Self {
            indent,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The table, or a line that says why there is none.
    pub(super) fn or(&self, nothing: &str) -> String {
        match self.rows.is_empty() {
            true => format!("{}{nothing}\n", self.indent),
            false => self.to_string(),
        }
    }

    /// A heading is aligned as the cells below it.
    fn aligned_right(&self, column: usize) -> bool {
        self.rows.iter().any(|row| row[column].right)
    }

    fn width(&self, column: usize) -> usize {
        self.rows
            .iter()
            .map(|row| row[column].width())
            .max()
            .unwrap_or_default()
    }
}

impl<const COLUMNS: usize> Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns: [_; COLUMNS] =
            std::array::from_fn(|column| (self.width(column), self.aligned_right(column)));
        for row in &self.rows {
            let mut gap = self.indent.to_owned();
            for (cell, (width, right)) in row.iter().zip(columns) {
                let space = " ".repeat(width - cell.width());
                let (before, after) = if right { (&*space, "") } else { ("", &*space) };
                gap += before;
                cell.write(f, &mut gap)?;
                gap += after;
                gap += "  ";
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Cell {
    pub(super) fn left(text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            right: false,
            style: Style::new(),
        }
    }

    pub(super) fn right(text: impl Display) -> Self {
        Self {
            right: true,
            ..Self::left(text)
        }
    }

    pub(super) fn heading(text: &str) -> Self {
        Self::left(text).styled(Style::new().dimmed())
    }

    pub(super) fn empty() -> Self {
        Self::left("")
    }

    /// With more behind it.
    pub(super) fn and(self, more: impl Display) -> Self {
        Self {
            text: format!("{}; {more}", self.text),
            ..self
        }
    }

    pub(super) fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// Writes the gap before it too: after the last text of a line there is none.
    fn write(&self, f: &mut Formatter<'_>, gap: &mut String) -> fmt::Result {
        let Self { text, style, .. } = self;
        if text.is_empty() {
            return Ok(());
        }
        write!(f, "{gap}{style}{text}{style:#}")?;
        gap.clear();
        Ok(())
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}
