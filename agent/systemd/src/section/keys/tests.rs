//! Tables: the files of a unit in, a service or what is wrong out.

use sentinel_config::{Kind, ROOT};

use super::super::syntax::section;
use super::*;

/// `key = text @PLACE` of each key, after the name; or everything that is wrong.
fn read(unit: &str, files: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
    let parts: Vec<Part> = files
        .iter()
        .map(|(path, text)| Part {
            path: (*path).to_owned(),
            section: section(SECTION, text.as_bytes()),
        })
        .collect();
    match service(unit, &parts) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(found)) => {
            let keys = found.keys.iter();
            let keys = keys.map(|key| {
                format!(
                    "{} = {} @{}:{}",
                    key.key,
                    key.text,
                    key.place.name(),
                    key.place.line().unwrap_or(0)
                )
            });
            Ok(std::iter::once(found.name.clone()).chain(keys).collect())
        }
        Err(refused) => Err(refused.iter().map(ToString::to_string).collect()),
    }
}

fn good(files: &[(&str, &str)]) -> Vec<String> {
    read("shop.service", files).unwrap()
}

#[test]
fn a_template_asks_each_instance_its_own_question() {
    let text = "[X-Sentinel]\nname=%j-%i\nhttp=\"http://127.0.0.1:%i/a%20b?of=%n\"\ncommand=/bin/check --path %I 'of %p'\n\
                after=db@%i cache\n";
    assert_eq!(
        read("my-web@80-1.service", &[("f", text)]).unwrap(),
        [
            "web-80-1",
            "unit = my-web@80-1.service @f:1",
            "after = [\"db@80-1\", \"cache\"] @f:5",
            "command = [\"/bin/check\", \"--path\", \"80/1\", \"of my-web\"] @f:4",
            "http = http://127.0.0.1:80-1/a%20b?of=my-web@80-1.service @f:3",
        ]
    );
    // A word stays one word, whatever the instance is called.
    let said = read(
        r"web@a\x20b,c.service",
        &[("f", "[X-Sentinel]\ncommand=/bin/check %I\nafter=x-%I\n")],
    )
    .unwrap();
    assert!(
        said.contains(&"command = [\"/bin/check\", \"a b,c\"] @f:2".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"after = [\"x-a b,c\"] @f:3".to_owned()), "{said:?}");
}

#[test]
fn a_section_is_a_service_of_its_unit() {
    let text = "[Service]\nExecStart=/bin/shop\n[X-Sentinel]\nhttp=http://127.0.0.1:8080/health\nafter=postgresql redis, queue\n\
                after=disk\nrecovery.burst=3\nhttp.status=200 204\nhttp.insecure=yes\nlabels.team=\"a b\"\ncommand=/bin/check --name 'a b'\n";
    assert_eq!(
        good(&[("f", text)]),
        [
            "shop",
            "unit = shop.service @f:3",
            "after = [\"postgresql\", \"redis\", \"queue\", \"disk\"] @f:6",
            "command = [\"/bin/check\", \"--name\", \"a b\"] @f:11",
            "http = http://127.0.0.1:8080/health @f:4",
            "http.insecure = true @f:9",
            "http.status = [\"200\", \"204\"] @f:8",
            "labels.team = a b @f:10",
            "recovery.burst = 3 @f:7",
        ]
    );
    assert_eq!(good(&[("f", "[Service]\nExecStart=/bin/shop\n")]), [""; 0]);
    assert_eq!(
        good(&[("f", "[X-Sentinel]\n")]),
        ["shop", "unit = shop.service @f:1"],
        "presence is enough"
    );
    let instance = read("pg@15-main.service", &[("f", "[X-Sentinel]\nname=pg\n")]).unwrap();
    assert_eq!(
        read("pg@15-main.service", &[("f", "[X-Sentinel]\n")]).unwrap()[0],
        "pg-15-main"
    );
    assert_eq!(instance[..2], ["pg", "unit = pg@15-main.service @f:1"]);
}

#[test]
fn drop_ins_override_in_order_and_an_empty_value_resets() {
    let unit = "[X-Sentinel]\nfall=3\nafter=db\nhttp=http://a/\nhttp.status=200\n";
    for (drop_in, expected) in [
        (
            "[X-Sentinel]\nfall=5\n",
            &[
                "after = [\"db\"] @u:3",
                "fall = 5 @d:2",
                "http = http://a/ @u:4",
                "http.status = [\"200\"] @u:5",
            ][..],
        ),
        (
            "[X-Sentinel]\nafter=\nafter=cache\n",
            &[
                "after = [\"cache\"] @d:3",
                "fall = 3 @u:2",
                "http = http://a/ @u:4",
                "http.status = [\"200\"] @u:5",
            ],
        ),
        ("[X-Sentinel]\nhttp=\nfall=\n", &["after = [\"db\"] @u:3"]),
        (
            "[Service]\nRestart=no\n",
            &[
                "after = [\"db\"] @u:3",
                "fall = 3 @u:2",
                "http = http://a/ @u:4",
                "http.status = [\"200\"] @u:5",
            ],
        ),
    ] {
        assert_eq!(good(&[("u", unit), ("d", drop_in)])[2..], *expected, "{drop_in}");
    }
    assert_eq!(
        good(&[("u", unit), ("d", "[X-Sentinel]\nenabled=no\n")]),
        [""; 0],
        "an operator switches it off"
    );
    assert_eq!(good(&[("u", "[Unit]\n"), ("d", unit)])[1], "unit = shop.service @d:1");
}

#[test]
fn what_is_wrong_is_reported_with_file_line_and_key() {
    for (body, expected) in [
        ("unit=other.service", "f:2: unit: the unit itself is what is watched"),
        (
            "process.pid_file=/run/x",
            "f:2: process.pid_file: the unit itself is what is watched",
        ),
        (
            "may_affect=a",
            "f:2: may_affect: which other units a restart may take along is for a configuration file to say",
        ),
        ("after=\"db", "f:2: after: the quote \" is not closed"),
        ("http.insecure=perhaps", "f:2: http.insecure: expected yes or no"),
        ("what", "f:2: expected KEY=VALUE"),
        (".=1", "f:2: .: is not a key"),
    ] {
        let read = read("shop.service", &[("f", &format!("[X-Sentinel]\n{body}\n"))]);
        let said = read.expect_err(body);
        assert_eq!(said, [expected], "{body}");
    }
}

#[test]
fn the_kinds_of_keys_are_those_of_the_table() {
    let services = ROOT.key("services").expect("the key is there");
    let Kind::Named { section, .. } = services.kind else {
        panic!("services are named tables");
    };
    let mut lists = Vec::new();
    let mut flags = Vec::new();
    let mut look = |prefix: &str, key: &sentinel_config::Key| match key.kind {
        Kind::List { .. } | Kind::OneOrMore { .. } => lists.push(format!("{prefix}{}", key.name)),
        Kind::Bool => flags.push(format!("{prefix}{}", key.name)),
        _ => {}
    };
    for key in section
        .all()
        .filter(|key| !REFUSED.iter().any(|(refused, _)| *refused == key.name))
    {
        look("", key);
        if let Kind::Table { section, .. } = &key.kind {
            let prefix = format!("{}.", key.name);
            section.all().for_each(|key| look(&prefix, key));
        }
    }
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let known = LISTS.iter().chain(&COMMANDS).map(|name| (*name).to_owned());
    assert_eq!(sorted(lists), sorted(known.collect()));
    assert_eq!(
        sorted(flags),
        sorted(FLAGS.iter().map(|name| (*name).to_owned()).collect())
    );
}
