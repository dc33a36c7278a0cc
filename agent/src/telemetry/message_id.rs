//! The `MESSAGE_ID` of each kind of event.
//!
//! `journalctl MESSAGE_ID=...` finds every event of a kind, and the message catalog explains it (`journalctl -x`). The
//! numbers are random, fixed for ever, and never used for anything else; see `journalctl --new-id128`.

/// `event=` word and number, in the order of an incident's life.
const MESSAGE_IDS: [(&str, &str); 30] = [
    ("started", "1f8065232c6f4215a52581831329a05a"),
    ("stopping", "a818bc77d267410093bb236499df154b"),
    ("reloaded", "12124070c8e447dc871abaf219dc339f"),
    ("reload_failed", "7c1d2f4be0a94a6f8e35b1c60d9274fa"),
    ("state", "ee7f5f253f7b4370898ecfaf652be24b"),
    ("unreachable", "41a1cb6cf8834c538778c186f285f195"),
    ("unhealthy", "c74a021da55f468883a2df18a33a6c8e"),
    ("died", "acc78dff547348d0b84697e58707ab44"),
    ("crash_looping", "8f6b257b59142ecbb65442c9ebf28a84"),
    ("healthy", "2df85929243e4468844980addc331eb1"),
    ("incident_opened", "05914b9ee8084a6e959b860978bad0cd"),
    ("cause_changed", "ed6a76c3f0f74edfa9271d008f4b2f77"),
    ("held", "433ef7d2fb93426ba81623dbbd25efb9"),
    ("restart", "cd44726a1d4d46f38b98c1c662bdf480"),
    ("restart_ended", "b29edbd7ddb941b2a12408c44e898970"),
    ("verified", "bb533707a85f421695df4b0c8a436d37"),
    ("not_verified", "f5012a50f2204fc5a808aa605ddc288f"),
    ("cut_short", "745add2855148c741804b1cea1415a16"),
    ("observed", "b9d0c49a0e214bde76027d917f8dbb00"),
    ("gave_up", "2b3e4ad25be5462c9a274457ddb98739"),
    ("told", "5f0c3c6d2b8e4d0aa1b6e7f4930d52c8"),
    ("not_told", "c96be2a07d814f7c8a35d1be64f02997"),
    ("acknowledged", "08d7f5b1e93c4a62b0cf7a98d246e13b"),
    ("flapping", "5727608688e12def281910ed26f1e90d"),
    ("flapping_ended", "2744eedb79bc54d875c2f8773174be14"),
    ("incident_closed", "62ceff65fba44683b247b4536112c8d1"),
    ("operator", "8fec9d51a9d04bbbb38a3b19320263a1"),
    ("maintenance", "0be4d2a7719f4c5f9a4d83e17f26c95b"),
    ("stopped", "38252d8c3fe8469984b98862e8d861e2"),
    ("log_lines_lost", "fa26d041ad8a49b7a89d3399379d3f88"),
];

/// The `MESSAGE_ID` for an `event=` word; `None` for kinds that have none.
pub fn message_id(event: &str) -> Option<&'static str> {
    MESSAGE_IDS.iter().find(|(word, _)| *word == event).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_is_a_128_bit_id_used_once() {
        let mut seen = BTreeSet::new();
        for (event, id) in MESSAGE_IDS {
            assert_eq!(id.len(), 32, "{event}");
            assert!(
                id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
                "{event}"
            );
            assert!(seen.insert(id), "{event} shares its id");
            assert_eq!(message_id(event), Some(id), "{event} stands there twice");
        }
    }
}
