//! Foreign text, made fit for messages. Pure.

/// `text` on one line and cut so that it takes at most `max` bytes in JSON.
pub(crate) fn clip(text: &str, max: usize) -> String {
    clip_letters(text.chars().map(plain), max)
}

/// As [`clip`], but lines stay lines.
pub(crate) fn clip_block(text: &str, max: usize) -> String {
    let letters = text.chars().filter(|letter| *letter != '\r');
    clip_letters(
        letters.map(|letter| if letter == '\n' { letter } else { plain(letter) }),
        max,
    )
}

/// What could disturb whoever shows it becomes a space: control characters, and those that turn the direction of writing
/// for all that follows.
pub(crate) fn plain(letter: char) -> char {
    match letter {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        letter if letter.is_control() => ' ',
        letter => letter,
    }
}

fn clip_letters(letters: impl Iterator<Item = char>, max: usize) -> String {
    let mut clipped = String::new();
    let mut room = max.saturating_sub('…'.len_utf8());
    for letter in letters {
        let cost = letter.len_utf8() + usize::from(matches!(letter, '"' | '\\' | '\n'));
        if cost > room {
            clipped.push('…');
            break;
        }
        room -= cost;
        clipped.push(letter);
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipped_text_takes_no_more_json_than_it_may() {
        for filler in ["a", "\"", "\\", "\n", "é", "🔎", "\u{1}", "\u{0}"] {
            let long = filler.repeat(500);
            for max in [3, 4, 10, 101] {
                for clipped in [clip(&long, max), clip_block(&long, max)] {
                    let json = serde_json::to_string(&clipped).unwrap();
                    assert!(json.len() - 2 <= max, "{max} bytes of {filler:?}: {json}");
                    assert!(clipped.ends_with('…'));
                }
            }
        }
        assert_eq!(clip_block("a\r\nb\u{0}c", 10), "a\nb c");
        assert_eq!(clip("a\nb\u{202e}c", 10), "a b c");
    }
}
