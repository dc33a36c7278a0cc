//! Columns that line up.

use crate::{Paint, Tone};

/// Between columns.
const GAP: &str = "  ";

/// Rows of cells, each with its tone.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<(Tone, String)>>,
    indent: &'static str,
}

impl Table {
    /// A table that starts with a line of headings.
    pub fn with_headings<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = Self::indented("");
        table.row(headings.map(|heading| (Tone::Strong, heading.to_owned())));
        table
    }

    /// A table without headings, each line after `indent`.
    pub const fn indented(indent: &'static str) -> Self {
        Self {
            rows: Vec::new(),
            indent,
        }
    }

    /// A table of rows of plain text.
    pub fn of_text(rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut table = Self::indented("");
        for row in rows {
            table.push(row.into_iter().map(|text| (Tone::Plain, text)));
        }
        table
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [(Tone, String); N]) {
        self.push(cells);
    }

    fn push(&mut self, cells: impl IntoIterator<Item = (Tone, String)>) {
        // Made harmless here, as escapes change how wide a text is.
        let harmless = |(tone, text): (Tone, String)| (tone, crate::printable(&text).into_owned());
        self.rows.push(cells.into_iter().map(harmless).collect());
    }

    /// The lines; every column but the last as wide as its widest cell.
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|(_, text)| chars(text))
                .max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut out = String::new();
        for row in &self.rows {
            let last = row.iter().rposition(|(_, text)| !text.is_empty()).unwrap_or(0);
            out.push_str(self.indent);
            for (column, (tone, text)) in row.iter().enumerate().take(last + 1) {
                out.push_str(&paint.text(*tone, text));
                if column < last {
                    out.push_str(&" ".repeat(widths[column] - chars(text)));
                    out.push_str(GAP);
                }
            }
            out.push('\n');
        }
        out
    }
}

/// How wide `text` is taken to be. Names and causes are plain words; wide scripts merely misalign.
fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> (Tone, String) {
        (Tone::Plain, text.to_owned())
    }

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let mut table = Table::with_headings(["A", "LONG", "C"]);
        table.row([plain("wide one"), plain("x"), plain("")]);
        table.row([plain("ü"), plain(""), plain("end")]);
        assert_eq!(
            table.render(Paint::fixed(false)),
            "A         LONG  C\n\
             wide one  x\n\
             ü               end\n"
        );
    }

    #[test]
    fn colours_and_escapes_do_not_shift_columns() {
        let mut table = Table::indented("  ");
        table.row([(Tone::Bad, "down".to_owned()), plain("1")]);
        table.row([(Tone::Good, "a\x1b[1m".to_owned()), plain("2")]);
        assert_eq!(
            table.render(Paint::fixed(true)),
            "  \x1b[1;31mdown\x1b[0m        1\n  \x1b[32ma\\u001b[1m\x1b[0m  2\n"
        );
    }
}
