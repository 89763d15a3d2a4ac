//! Aligned columns for people.

/// Longest cell, characters; a longer one is cut, since addresses and tags of strangers have any length.
const CELL_CHARS_MAX: usize = 60;

/// Which side a column's cells are pushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<const N: usize>(columns: [(&str, Side); N]) -> Self {
        let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        Self { sides: columns.iter().map(|(_, side)| *side).collect(), rows: vec![headings] }
    }

    /// Adds a row; as many cells as there are columns.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }

    /// The rows, headings first, each line behind `indent` spaces.
    pub(crate) fn lines(&self, indent: usize) -> Vec<String> {
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.sides.len()).map(|column| width(column).unwrap_or_default()).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = (row.iter().zip(&self.sides).zip(&widths))
                .map(|((cell, side), width)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                })
                .collect();
            format!("{:indent$}{}", "", cells.join("  ")).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// A text as one short piece of a line: a terminal must not be told what to do by what strangers send.
pub(crate) fn plain(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.chars().map(clean).collect();
    }
    text.chars().take(CELL_CHARS_MAX - 1).map(clean).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new([("name", Side::Left), ("rows", Side::Right), ("", Side::Left)]);
        table.row(["a", "1,000", "x"]);
        table.row(["größer", "7", ""]);
        assert_eq!(table.lines(2), ["  name     rows", "  a       1,000  x", "  größer      7"]);
    }

    #[test]
    fn what_strangers_send_is_one_short_piece() {
        assert_eq!(plain("a\u{1b}[2J\nb"), "a [2J b");
        let long = plain(&"ä".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with('…')), (60, true));
    }
}
