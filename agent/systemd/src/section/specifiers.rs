//! `%i` and the like in a section, as systemd.unit(5) has them for the rest of the file: what lets a template ask each instance
//! its own question. Pure.

/// `text` with the specifiers that name the unit replaced: `%i`, `%I`, `%n`, `%p`, `%j`; `%%` is a `%`. Whatever else follows a
/// `%` stands as it is written: a URL has `%20`, and none of these letters is a hexadecimal digit.
pub(super) fn expanded(text: &str, unit: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter != '%' {
            expanded.push(letter);
            continue;
        }
        let after = rest.clone().next();
        match after {
            Some('i') => expanded.push_str(instance),
            Some('I') => expanded.push_str(&unescaped(instance)),
            Some('n') => expanded.push_str(unit),
            Some('p') => expanded.push_str(prefix),
            Some('j') => expanded.push_str(prefix.rsplit_once('-').map_or(prefix, |(_, last)| last)),
            Some('%') => expanded.push('%'),
            _ => {
                expanded.push('%');
                continue;
            }
        }
        rest.next();
    }
    expanded
}

/// As `systemd-escape --unescape` has it: `-` is `/`, `\x2d` a byte by its number.
fn unescaped(instance: &str) -> String {
    let mut bytes = Vec::with_capacity(instance.len());
    let mut rest = instance.as_bytes();
    while let [first, tail @ ..] = rest {
        let number = rest
            .strip_prefix(b"\\x")
            .and_then(|digits| str::from_utf8(digits.get(..2)?).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if let Some(byte) = number {
            bytes.push(byte);
            rest.get(4..).unwrap_or_default()
        } else {
            bytes.push(if *first == b'-' { b'/' } else { *first });
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_what_systemd_makes_of_them() {
        const UNIT: &str = r"foo-bar@var-lib-x\x2dy.service";
        for (text, unit, expected) in [
            ("http://127.0.0.1:%i/", "web@8080.service", "http://127.0.0.1:8080/"),
            ("%i %I", UNIT, r"var-lib-x\x2dy var/lib/x-y"),
            ("%n %p %j", UNIT, r"foo-bar@var-lib-x\x2dy.service foo-bar bar"),
            ("%p %j", "web.service", "web web"),
            ("<%i%I>", "web.service", "<>"),
            ("100%% %%i", "web@1.service", "100% %i"),
            ("/a%20b%2Fc %x %", "web@1.service", "/a%20b%2Fc %x %"),
            ("%I", r"web@\xff\x2.service", "\u{fffd}\\x2"),
            ("nothing", "web@1.service", "nothing"),
        ] {
            assert_eq!(expanded(text, unit), expected, "{text} {unit}");
        }
    }
}
