//! The `MESSAGE_ID` of each kind of event.
//!
//! `journalctl MESSAGE_ID=...` finds every event of a kind, and the message catalog, `systemd/sentinel.catalog`, explains
//! it (`journalctl -x`). The numbers are random, fixed for ever, and never used for anything else; see
//! `journalctl --new-id128`.

/// `event=` word and number: the agent itself first, then an incident's life, then who is notified, then the store.
///
/// `held/storm` is what `event=held reason_kind=storm` has: where what an operator should do depends on one more field,
/// its values have numbers of their own.
pub(super) const MESSAGE_IDS: [(&str, &str); 73] = [
    ("started", "1f8065232c6f4215a52581831329a05a"),
    ("ended", "a818bc77d267410093bb236499df154b"),
    ("config_refused", "cfe18aee764249f9a88affe135d8d191"),
    ("config_warning", "9daa084107bf4d6f9a414ee879313b1f"),
    ("reloaded", "12124070c8e447dc871abaf219dc339f"),
    ("cannot_look", "0c9a4d7be1324f5f9d2e86a1b4c0f7d3"),
    ("healing_off", "5b0f6a3cf3d84e0b9b8d1f27c64e90a5"),
    ("reload_failed", "7c1d2f4be0a94a6f8e35b1c60d9274fa"),
    ("discovered_rejected", "1a8eed1195d24ff89be72fe3007ed50d"),
    ("not_permitted", "921ead5456b44c4d8e59101179628db9"),
    ("trigger_failed", "8ae0f6f257a94b4e83b687af56e5fbdb"),
    ("trigger_stopped", "38c19b28f2af4b65a437035b24788680"),
    ("trigger_not_started", "c02a5e288e95441c916444d4c029619b"),
    ("preexisting_failure", "ef157027906345aea74e74f14b86c96c"),
    ("control", "310814d8a4a149b88924c7fc55130f3f"),
    ("control_failed", "344ac34836214d6c9dadb7fae896429a"),
    ("listening", "ee5f574c81284ffdb981003cbd110cdf"),
    ("listen_failed", "c34ae524cc9f45a1a229f8635440a16f"),
    ("connection_lost", "88e3e40a31b440d4aba83b0d9727bbef"),
    ("resumed", "9a59592d31944802a0902d4afe4711d4"),
    ("state", "ee7f5f253f7b4370898ecfaf652be24b"),
    ("unreachable", "41a1cb6cf8834c538778c186f285f195"),
    ("unhealthy", "c74a021da55f468883a2df18a33a6c8e"),
    ("died", "acc78dff547348d0b84697e58707ab44"),
    ("crash_looping", "8f6b257b59142ecbb65442c9ebf28a84"),
    ("healthy", "2df85929243e4468844980addc331eb1"),
    ("incident_opened", "05914b9ee8084a6e959b860978bad0cd"),
    ("incident_opened/host_wide", "e214efb0a9a346a1b61a8a1412786652"),
    ("cause_changed", "ed6a76c3f0f74edfa9271d008f4b2f77"),
    ("held", "433ef7d2fb93426ba81623dbbd25efb9"),
    ("held/observe", "bc971d4a06da4895a1c4b81b7f7f468a"),
    ("held/probe_never_passed", "9d2c61b7e5aa4f1fb3c04e8d17f6a250"),
    ("held/restart_on", "e47b90d3c1f84d0a9a6de15b82c7f30e"),
    ("held/refused", "d2470c31c059484ab749499be515e16b"),
    ("held/blast_radius", "c41cde89ce8f4a4bb4dfdc330ccabef6"),
    ("held/unobservable", "883b541725d84f5488262a61d658a0d5"),
    ("held/storm", "3e008c2bb5c2445080aa99e035e3b07d"),
    ("held/store", "ff44e03572c442fe8d928b4c97876476"),
    ("restart", "cd44726a1d4d46f38b98c1c662bdf480"),
    ("restart_slow", "f8fa388abad143768c4552ac02bea9e6"),
    ("restart_ended", "b29edbd7ddb941b2a12408c44e898970"),
    ("verified", "bb533707a85f421695df4b0c8a436d37"),
    ("not_verified", "f5012a50f2204fc5a808aa605ddc288f"),
    ("unproven", "6a1f0f3b7c9f4b0e8f0d2c5be7a1934d"),
    ("cut_short", "745add2855148c741804b1cea1415a16"),
    ("observed", "b9d0c49a0e214bde76027d917f8dbb00"),
    ("gave_up", "2b3e4ad25be5462c9a274457ddb98739"),
    ("flapping", "5727608688e12def281910ed26f1e90d"),
    ("flapping_ended", "2744eedb79bc54d875c2f8773174be14"),
    ("incident_closed", "62ceff65fba44683b247b4536112c8d1"),
    ("stopped", "38252d8c3fe8469984b98862e8d861e2"),
    ("operator", "8fec9d51a9d04bbbb38a3b19320263a1"),
    ("maintenance", "0be4d2a7719f4c5f9a4d83e17f26c95b"),
    ("notified", "5f0c3c6d2b8e4d0aa1b6e7f4930d52c8"),
    ("not_notified", "c96be2a07d814f7c8a35d1be64f02997"),
    ("acknowledged", "08d7f5b1e93c4a62b0cf7a98d246e13b"),
    ("silence_ended", "753caf1a0c6c4db1bef3773d43cab752"),
    ("receiver_failing", "ad0e8b0fd8264a3ebbb0aa326e825f7a"),
    ("receiver_works", "cda9e7545cb04769b055f0b70b16a368"),
    ("receivers_notified", "24cea0d48fab41c18eff9e61ac1da373"),
    ("receiver_gone", "cdb8f0ba00ed4c6e9c447688e796497b"),
    ("message_refused", "44478892896e455ea71ad79fa4f355a8"),
    ("mail_partly_refused", "57cbe2d4582c4a0d926d74c0065217c3"),
    ("message_dropped", "23b3ff5e9024413197a84b0baf7c928a"),
    ("messages_given_up", "5f15cf3862ed4621902cdb6fdfbbabbe"),
    ("heartbeat_failed", "434f723102fa4af7bee971ec959c5b49"),
    ("heartbeat_degraded", "178fbf84807e46db9ed09035d2b6d63c"),
    ("heartbeat_well", "68e62ac6c8c946e281a3211bf5f5741c"),
    ("store_failed", "d8ea2a0fbfd4457a9d4c4d4dbd76bdc4"),
    ("store_writable", "e78d82cddc7c4030a75882f2e343a521"),
    ("store_quarantined", "cd5522bf4af74a91858fc3988b605c13"),
    ("memory_unreadable", "b0cf048ff1954403987371b8d0a41266"),
    ("log_lines_lost", "fa26d041ad8a49b7a89d3399379d3f88"),
];

/// The fields that choose among the numbers of one word, as in `held/storm`.
pub(super) const QUALIFIERS: [&str; 2] = ["reason_kind", "cause_kind"];

/// The `MESSAGE_ID` for an `event=` word and the value of its qualifier; `None` for kinds that have none.
pub fn message_id(event: &str, qualifier: Option<&str>) -> Option<&'static str> {
    let own = qualifier.and_then(|value| {
        let with = |word: &str| word.strip_prefix(event)?.strip_prefix('/').map(|own| own == value);
        find(|word| with(word) == Some(true))
    });
    own.or_else(|| find(|word| word == event))
}

fn find(is: impl Fn(&str) -> bool) -> Option<&'static str> {
    MESSAGE_IDS.iter().find(|(word, _)| is(word)).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_is_a_128_bit_id_used_once() {
        let (mut ids, mut words) = (BTreeSet::new(), BTreeSet::new());
        for (event, id) in MESSAGE_IDS {
            assert_eq!(id.len(), 32, "{event}");
            assert!(
                id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
                "{event}"
            );
            assert!(ids.insert(id), "{event} shares its id");
            assert!(words.insert(event), "{event} stands there twice");
        }
    }

    #[test]
    fn a_qualified_kind_has_its_own_number_and_others_that_of_the_word() {
        let held = message_id("held", None);
        assert!(held.is_some());
        assert_ne!(message_id("held", Some("storm")), held);
        assert_eq!(message_id("held", Some("backoff")), held);
        assert_eq!(message_id("hel", Some("d/storm")), None);
        assert_eq!(message_id("nonsense", Some("storm")), None);
    }
}
