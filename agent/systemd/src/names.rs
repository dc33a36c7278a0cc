//! Names of units as object paths of the bus.

/// The folder of all units.
pub(super) const UNIT_ROOT: &str = "/org/freedesktop/systemd1/unit";

/// The object path of the unit called `name`. It is the same whether or not the unit is loaded.
///
/// As `sd_bus_path_encode` does it: every byte but ASCII letters and digits becomes `_xx`, and so does a leading digit.
pub(super) fn unit_path(name: &str) -> String {
    let mut path = String::with_capacity(UNIT_ROOT.len() + 1 + name.len() * 2);
    path.push_str(UNIT_ROOT);
    path.push('/');
    if name.is_empty() {
        path.push('_');
    }
    for (index, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (index > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push('_');
            path.push(hex_digit(byte >> 4));
            path.push(hex_digit(byte & 0xf));
        }
    }
    path
}

/// The interface of the properties that only services have. Changes of other types are read, not taken from signals.
pub(super) fn type_interface(name: &str) -> Option<&'static str> {
    (unit_type(name) == "service").then_some("org.freedesktop.systemd1.Service")
}

/// `service`, `socket`, ...: what follows the last dot.
pub(super) fn unit_type(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, unit_type)| unit_type)
}

/// Bytes as lower-case hexadecimal digits, as systemd prints an invocation ID.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 0xf)])
        .collect()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        for (name, path) in [
            ("a.service", "a_2eservice"),
            ("postgresql@15-main.service", "postgresql_4015_2dmain_2eservice"),
            ("6to4.service", "_36to4_2eservice"),
            ("a_b.service", "a_5fb_2eservice"),
            ("ä.service", "_c3_a4_2eservice"),
            ("", "_"),
        ] {
            assert_eq!(unit_path(name), format!("{UNIT_ROOT}/{path}"), "{name}");
        }
    }
}
