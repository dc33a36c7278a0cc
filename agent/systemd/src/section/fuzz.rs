//! Whatever stands in unit files, something is made of it: a service, or what is wrong and where. `make fuzz` tries more of it.

use proptest::prelude::*;

use super::SECTION;
use super::keys::{Part, service};
use super::syntax::section;

/// What means something, between anything else.
fn file() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let pieces = vec![
        "[X-Sentinel]\n", "[x-sentinel]\n", "[Unit]\n", "[", "]", "\n", "\\\n", "\\", "#", ";", "=", "\"", "'", " ", ",", "%i", "%I",
        "%%", "%", "\\x2d", "\\n", "\\q", "name=", "enabled=no\n", "enabled=maybe\n", "http=http://127.0.0.1:%i/\n", "http.url=",
        "http.status=200 204,206\n", "tcp=", "command=/bin/true 'a b' \"c\\\"d\"\n", "command=\n", "after=db.service cache\n", "after=\n",
        "interval=5s\n", "fall=2\n", "labels.team=shop\n", "recovery.burst=", "unit=other\n", "may_affect=x\n", "a..b=c\n", ".=x\n", "\0",
        "\u{feff}", "é", "=x\n",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    (any::<bool>(), prop::collection::vec(piece, 0..40)).prop_map(|(begun, pieces)| {
        let head = if begun { "[X-Sentinel]\n" } else { "" };
        [head.as_bytes(), &pieces.concat()].concat()
    })
}

proptest! {
    #[test]
    fn any_unit_files_are_a_service_or_what_is_wrong_with_them(
        files in prop::collection::vec(file(), 1..4),
        unit in prop::sample::select(vec!["web.service", "web@8080.service", r"a-b@var-x\x2dy\xff.service", "@.service", "é@.service"]),
    ) {
        let parts: Vec<Part> = files
            .iter()
            .enumerate()
            .map(|(number, text)| Part { path: format!("/etc/{number}.conf"), section: section(SECTION, text) })
            .collect();
        match service(unit, &parts) {
            Ok(Some(found)) => {
                let targets = found.keys.iter().filter(|key| key.key == "unit").count();
                prop_assert_eq!(targets, 1, "it is of its unit alone");
                prop_assert!(!found.keys.iter().any(|key| key.key.starts_with("may_affect")));
            }
            Ok(None) => {}
            Err(rejected) => prop_assert!(!rejected.is_empty()),
        }
    }
}
