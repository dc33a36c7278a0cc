//! Patterns for names: of services, of units, of labels' values.

/// Whether `name` fits `pattern`, in which `*` stands for any characters and `?` for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of) = (0, 0);
    // Where the last star stood, and how much of the name it stands for; taken back to when the rest does not fit.
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[of] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                at = back + 1;
                of = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let table = [
            ("*", "shop", true),
            ("shop", "shop", true),
            ("shop", "shop2", false),
            ("shop", "sho", false),
            ("db-*", "db-1", true),
            ("db-*", "db-", true),
            ("db-*", "mydb-1", false),
            ("*-db", "shop-db", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbx", false),
            ("db-?", "db-1", true),
            ("db-?", "db-12", false),
            ("", "shop", false),
            ("**", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
