//! Foreign text, made fit for messages. Pure.

/// `text` on one line and cut so that it takes at most `max` bytes in JSON.
pub fn clip(text: &str, max: usize) -> String {
    clip_letters(text.chars().map(plain), max)
}

/// As [`clip`], but what is left out is in the middle: whoever passes an error on puts his own words before it, so that
/// the reason stands at the end.
pub fn clip_middle(text: &str, max: usize) -> String {
    let letters: Vec<char> = text.chars().map(plain).collect();
    let cost_of = |letters: &[char]| letters.iter().copied().map(cost).sum::<usize>();
    if cost_of(&letters) <= room(max) {
        return letters.into_iter().collect();
    }
    let (mut head, mut tail) = (0, letters.len());
    let (mut of_head, mut of_tail) = (room(max) / 3, room(max) - room(max) / 3);
    while let Some(left) = letters.get(head).and_then(|letter| of_head.checked_sub(cost(*letter))) {
        (of_head, head) = (left, head + 1);
    }
    while tail > head
        && let Some(left) = of_tail.checked_sub(cost(letters[tail - 1]))
    {
        (of_tail, tail) = (left, tail - 1);
    }
    letters[..head].iter().chain(&['…']).chain(&letters[tail..]).collect()
}

/// As [`clip`], but lines stay lines.
pub fn clip_block(text: &str, max: usize) -> String {
    let letters = text.chars().filter(|letter| *letter != '\r');
    clip_letters(
        letters.map(|letter| if letter == '\n' { letter } else { plain(letter) }),
        max,
    )
}

/// As [`clip_block`], but it is whole lines at the beginning that are left out, as long as there are others.
pub fn clip_beginning(text: &str, max: usize) -> String {
    let cost_of = |text: &str| text.chars().map(cost).sum::<usize>();
    let start_of_line = |end: usize| text[..end].rfind('\n').map_or(0, |at| at + 1);
    let mut begin = start_of_line(text.len());
    let mut left = room(max).saturating_sub(cost_of(&text[begin..]));
    while begin > 0 {
        let earlier = start_of_line(begin - 1);
        let Some(rest) = left.checked_sub(cost_of(&text[earlier..begin])) else {
            break;
        };
        (left, begin) = (rest, earlier);
    }
    clip_block(&text[begin..], max)
}

/// What could disturb whoever shows it becomes a space: control characters, and those that turn the direction of writing
/// for all that follows.
pub fn plain(letter: char) -> char {
    match letter {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        letter if letter.is_control() => ' ',
        letter => letter,
    }
}

/// What a letter takes in JSON, in bytes.
fn cost(letter: char) -> usize {
    letter.len_utf8() + usize::from(matches!(letter, '"' | '\\' | '\n'))
}

/// How much of `max` bytes is there for letters, so that there is always place to show that some are left out.
fn room(max: usize) -> usize {
    max.saturating_sub('…'.len_utf8())
}

fn clip_letters(letters: impl Iterator<Item = char>, max: usize) -> String {
    let mut clipped = String::new();
    let mut room = room(max);
    for letter in letters {
        let cost = cost(letter);
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
                for clipped in [clip(&long, max), clip_block(&long, max), clip_middle(&long, max)] {
                    let json = serde_json::to_string(&clipped).unwrap();
                    assert!(json.len() - 2 <= max, "{max} bytes of {filler:?}: {json}");
                    assert!(clipped.contains('…'));
                }
            }
        }
        assert_eq!(clip_middle("engine: layer: no such file", 20), "engin…no such file");
        assert_eq!(clip_block("a\r\nb\u{0}c", 10), "a\nb c");
        assert_eq!(clip("a\nb\u{202e}c", 10), "a b c");
    }

    #[test]
    fn of_a_log_the_last_lines_stay() {
        assert_eq!(clip_beginning("one\ntwo\nthree", 100), "one\ntwo\nthree");
        assert_eq!(clip_beginning("one\ntwo\nthree", 14), "two\nthree");
        assert_eq!(clip_beginning("one\ntwo…", 12), "two…");
        assert_eq!(clip_beginning("one\nthirteen letters", 10), "thirtee…");
        assert_eq!(clip_beginning("", 10), "");
    }
}
