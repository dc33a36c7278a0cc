//! Tables: a file in, assignments with their lines out.

use super::*;

/// `LINE key=value` of each assignment and `LINE! message` of each mistake.
fn read(text: &str) -> Vec<String> {
    let section = section("X-Sentinel", text.as_bytes());
    let reported = section.assignments.iter();
    let reported = reported.map(|found| format!("{} {}={}", found.line, found.key, found.value));
    let mistakes = section.mistakes.iter();
    reported
        .chain(mistakes.map(|mistake| format!("{}! {}", mistake.line, mistake.message)))
        .collect()
}

#[test]
fn only_the_section_counts_wherever_it_stands() {
    let text = "[Service]\nExecStart=/bin/x\nhttp=no\n[X-Sentinel]\nhttp = http://a/\n\n[Install]\nfall=3\n[X-Sentinel]\nfall=2\n";
    assert_eq!(read(text), ["5 http=http://a/", "10 fall=2"]);
    assert_eq!(section("X-Sentinel", text.as_bytes()).line, Some(4));
    assert_eq!(section("X-Sentinel", b"[Service]\nhttp=x\n"), Section::default());
    assert_eq!(
        section("X-Sentinel", b"http=x\n"),
        Section::default(),
        "before any section"
    );
}

#[test]
fn comments_continuations_and_white_space_are_those_of_systemd() {
    for (body, expected) in [
        ("# http=a\n; http=b\n  # c\nfall=2", &["5 fall=2"][..]),
        (
            "after=a \\\n b \\\n# in between\n c\nfall=2",
            &["2 after=a  b  c", "6 fall=2"],
        ),
        ("  fall\t=  2  ", &["2 fall=2"]),
        ("http=http://a/?x=y#z", &["2 http=http://a/?x=y#z"]),
        ("after=", &["2 after="]),
        ("fall=2\\", &["2 fall=2"]),
        ("fall=2\r\nrise=3\r", &["2 fall=2", "3 rise=3"]),
        ("fall=2\nfall=3", &["2 fall=2", "3 fall=3"]),
        ("what is this", &["2! expected KEY=VALUE"]),
        ("fall=\0", &["2! holds a NUL byte"]),
    ] {
        assert_eq!(read(&format!("[X-Sentinel]\n{body}")), expected, "{body:?}");
    }
    assert_eq!(read("\u{feff}[X-Sentinel]\nfall=2"), ["2 fall=2"]);
}

#[test]
fn a_section_in_other_letters_is_reported() {
    assert_eq!(
        read("[x-sentinel]\nfall=2\n"),
        ["1! the section is called [X-Sentinel]; as [x-sentinel] it does not count"]
    );
}

#[test]
fn what_is_not_text_or_too_much_is_reported_with_its_line() {
    let section = |text: &[u8]| super::section("X-Sentinel", text);
    let wrong = section(b"[X-Sentinel]\nfall=2\nhttp=\xff\nrise=3\n");
    assert_eq!(wrong.assignments.len(), 2);
    assert_eq!(wrong.mistakes[0].line, 3);
    // Elsewhere it is no business of ours.
    assert_eq!(
        section(b"[Unit]\nDescription=\xff\n[X-Sentinel]\nfall=2\n").mistakes,
        []
    );
    let long = format!("[X-Sentinel]\nhttp={}\nfall=2\n", "x".repeat(LINE_MAX));
    assert_eq!(section(long.as_bytes()).mistakes[0].line, 2);
    assert_eq!(section(long.as_bytes()).assignments.len(), 1);
    let endless = format!("[X-Sentinel]\nhttp=a{}", "\\\nb".repeat(LINE_MAX));
    assert_eq!(section(endless.as_bytes()).mistakes.len(), 1);
    let many = format!("[X-Sentinel]\n{}", "fall=2\n".repeat(ASSIGNMENTS_MAX + 1));
    let many = section(many.as_bytes());
    assert_eq!(many.assignments.len(), ASSIGNMENTS_MAX);
    assert_eq!(many.mistakes[0].message, "more than 100 assignments");
}

#[test]
fn words_are_split_and_unquoted_as_systemd_does() {
    for (text, expected) in [
        ("a b  c", &["a", "b", "c"][..]),
        ("\"a b\" 'c \"d'", &["a b", "c \"d"]),
        ("a\"b c\"d", &["ab cd"]),
        (r#"a\ b \"c\" \\"#, &["a b", "\"c\"", "\\"]),
        ("'' a", &["", "a"]),
        ("", &[]),
    ] {
        assert_eq!(words(text).unwrap(), expected, "{text}");
    }
    assert_eq!(words("a \"b"), Err(SyntaxError::OpenQuote('"')));
    assert_eq!(words(r"a\q"), Err(SyntaxError::UnknownEscape('q')));
    assert_eq!(words("a\\"), Err(SyntaxError::LoneBackslash));
    assert_eq!(unquoted("\"http://a/ b\"").unwrap(), "http://a/ b");
    assert_eq!(unquoted("a \"b\"").unwrap(), "a \"b\"");
    assert_eq!(unquoted("\"a\" \"b\"").unwrap(), "\"a\" \"b\"");
}

/// A small generator of its own: the same bytes every time, and any byte is likely beside those that mean something.
fn random(seed: &mut u64) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap()
}

#[test]
fn any_bytes_are_read_without_panic_and_within_limits() {
    const PIECES: [&[u8]; 16] = [
        b"[X-Sentinel]",
        b"\n",
        b"\n",
        b"=",
        b"\\\n",
        b"#",
        b";",
        b"\"",
        b"'",
        b"\\",
        b" ",
        b"[",
        b"]",
        b"fall=2",
        b"\xff",
        b"\0",
    ];
    let mut seed = 1;
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..random(&mut seed) % 60 {
            match random(&mut seed) % 20 {
                choice @ 0..=15 => text.extend_from_slice(PIECES[choice]),
                _ => text.push(u8::try_from(random(&mut seed) % 256).unwrap()),
            }
        }
        let lines = text.split(|byte| *byte == b'\n').count();
        let read = section("X-Sentinel", &text);
        assert!(read.assignments.len() <= ASSIGNMENTS_MAX);
        for found in &read.assignments {
            assert!((1..=lines).contains(&found.line));
            assert!(!found.value.contains('\n'), "{text:?}");
            // Whatever the words are, quoting them again gives them back.
            if let Ok(split) = words(&found.value) {
                let quoted: Vec<String> = split
                    .iter()
                    .map(|word| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "\\'")))
                    .collect();
                assert_eq!(words(&quoted.join(" ")).unwrap(), split);
            }
            let _ = unquoted(&found.value);
        }
        assert!(read.line.is_some() || (read.assignments.is_empty() && read.mistakes.is_empty()));
    }
}
