//! Two real Alertmanagers that are a cluster, beside a third address where nobody is.

use serde_json::{Value, json};

use crate::harness::Lab;

/// Goes on with `[alerts]`. A `%` that begins no escape is refused by Alertmanager with everything beside it.
const CONFIG: &str = r#"
link = "https://runbooks.example/100%/{{ service }}"

[receivers.cluster.alertmanager]
urls = ["http://127.0.0.1:9999", "http://127.0.0.1:9093", "http://127.0.0.1:9193"]
resend = "1s"

[services.shop]
unit = "shop"
mode = "observe"
labels = { team = "payments" }

[services.cart]
unit = "cart"
mode = "observe"
"#;

const ROUTES: &str = r#"
route: { receiver: hook, group_by: [host], group_wait: 1s, group_interval: 1s, repeat_interval: 4h }
receivers: [{ name: hook, webhook_configs: [{ url: "http://127.0.0.1:9200/", send_resolved: true }] }]
"#;

/// The ports of the two.
const PORTS: [u16; 2] = [9093, 9193];

fn start(lab: &Lab, port: u16) {
    let (own, other) = (port + 1, if port == PORTS[0] { PORTS[1] + 1 } else { PORTS[0] + 1 });
    lab.host.sh(&format!(
        "systemd-run --quiet --unit am{port} prometheus-alertmanager --config.file=/etc/lab/am.yml \
         --storage.path=/var/tmp/am{port} --web.listen-address=127.0.0.1:{port} \
         --cluster.listen-address=127.0.0.1:{own} --cluster.advertise-address=127.0.0.1:{own} \
         --cluster.peer=127.0.0.1:{other} --cluster.peer-timeout=2s"
    ));
}

fn lab() -> Lab {
    let lab = Lab::new(&["shop", "cart"], CONFIG);
    lab.host.write("/etc/lab/am.yml", ROUTES.as_bytes());
    lab.host.write("/root/hook.py", include_bytes!("hook.py"));
    lab.host.write("/root/break_links.py", include_bytes!("break_links.py"));
    lab.host
        .sh("systemd-run --quiet --unit hook python3 /root/hook.py /var/tmp/hooked 9200");
    for port in PORTS {
        start(&lab, port);
    }
    lab.wait("the two are a cluster", || {
        PORTS.iter().all(|port| {
            let status = lab.json(&format!("curl -sf http://127.0.0.1:{port}/api/v2/status"));
            status["cluster"]["peers"]
                .as_array()
                .is_some_and(|peers| peers.len() == 2)
        })
    });
    lab.host.sh("systemctl start sentinel");
    for service in ["shop", "cart"] {
        lab.await_state(service, "healthy");
    }
    lab
}

/// The alerts of a service, as `amtool` shows them.
fn alerts(lab: &Lab, port: u16, options: &str) -> Vec<Value> {
    let command = format!("amtool --alertmanager.url=http://127.0.0.1:{port} -o json alert query {options}");
    lab.json(&command).as_array().cloned().unwrap_or_default()
}

fn everywhere(lab: &Lab, what: &str, holds: impl Fn(u16) -> bool) {
    lab.wait(what, || PORTS.iter().all(|port| holds(*port)));
}

/// What the cluster told its own receiver: status, and the services of the alerts.
fn reported(lab: &Lab) -> Vec<(String, Vec<String>)> {
    let text = lab.host.sh("cat /var/tmp/hooked 2>/dev/null || true");
    let line = |line: &str| {
        let body: Value = serde_json::from_str(line).expect("JSON");
        let alerts = body["alerts"].as_array().expect("a list");
        let of = |alert: &Value| alert["labels"]["service"].as_str().unwrap_or_default().to_owned();
        let mut services: Vec<String> = alerts.iter().map(of).collect();
        services.sort();
        (body["status"].as_str().expect("text").to_owned(), services)
    };
    text.lines().map(line).collect()
}

fn metric(lab: &Lab, port: u16, name: &str) -> f64 {
    let text = lab.host.sh(&format!("curl -sf http://127.0.0.1:{port}/metrics"));
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")))
        .and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

#[test]
fn a_cluster_is_reported_what_fires_until_it_ends() {
    let lab = lab();
    lab.kill("shop");
    everywhere(&lab, "both show it", |port| {
        alerts(&lab, port, "service=shop").len() == 1
    });
    let alert = alerts(&lab, PORTS[0], "service=shop").remove(0);
    assert_eq!(
        alert["labels"],
        json!({
            "alertname": "SentinelServiceDown", "service": "shop", "host": "lab", "severity": "warning",
            "team": "payments",
        })
    );
    assert_eq!(alert["generatorURL"], "https://runbooks.example/100%25/shop");
    let annotations = &alert["annotations"];
    assert_eq!(annotations["cause"], "killed by signal KILL");
    let summary = annotations["summary"].as_str().expect("text");
    assert!(
        summary.starts_with("lab: shop is down: killed by signal KILL"),
        "{summary}"
    );
    assert!(
        annotations["description"]
            .as_str()
            .is_some_and(|text| text.contains("Severity:"))
    );

    // Each of the two has looked whether somebody is to be notified, several times; one of them did it.
    let looks = |port| metric(&lab, port, "alertmanager_nflog_queries_total");
    everywhere(&lab, "both had their turn", |port| looks(port) >= 3.0);
    assert_eq!(reported(&lab), [("firing".to_owned(), vec!["shop".to_owned()])]);

    lab.kill("cart");
    let both = || vec!["cart".to_owned(), "shop".to_owned()];
    lab.wait("one message for the two", || {
        reported(&lab)
            .last()
            .is_some_and(|(status, services)| status == "firing" && *services == both())
    });
    let groups = lab.json("curl -sf http://127.0.0.1:9093/api/v2/alerts/groups");
    assert_eq!(groups.as_array().map(Vec::len), Some(1), "{groups:#}");

    lab.host.sh(
        "amtool --alertmanager.url=http://127.0.0.1:9093 silence add service=cart --comment test --author test \
         --duration 1h",
    );
    everywhere(&lab, "cart is silenced", |port| {
        alerts(&lab, port, "service=cart").is_empty()
            && alerts(&lab, port, "--silenced service=cart").len() == 1
            && alerts(&lab, port, "service=shop").len() == 1
    });

    // It keeps no alerts of its own: what it shows after a restart it was reported again.
    lab.host.sh("systemctl stop am9093");
    lab.host.sh("rm -rf /var/tmp/am9093");
    start(&lab, PORTS[0]);
    everywhere(&lab, "it is told again", |port| {
        alerts(&lab, port, "service=shop").len() == 1
    });

    // So does the agent that comes after this one.
    let ends = |port| {
        alerts(&lab, port, "service=shop")
            .first()
            .map(|alert| alert["endsAt"].to_string())
    };
    lab.host.sh("systemctl kill --signal KILL --kill-whom main sentinel");
    let then = PORTS.map(ends);
    everywhere(&lab, "the next agent goes on", |port| {
        let index = usize::from(port == PORTS[1]);
        ends(port).is_some_and(|now| then[index].as_ref().is_some_and(|then| now > *then))
    });

    lab.host.sh("systemctl start shop");
    everywhere(&lab, "it ends", |port| alerts(&lab, port, "service=shop").is_empty());
    assert_eq!(
        alerts(&lab, PORTS[1], "--silenced service=cart").len(),
        1,
        "the other goes on"
    );
    let states: Vec<String> = lab.messages(1, "cluster").into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["delivered", "delivered"]);
}

#[test]
fn an_alert_that_is_refused_silences_no_other() {
    let lab = lab();
    let tried = lab.json("sentinel alerts test cluster --json");
    assert_eq!(tried[0]["ok"], true, "a test has the link of an alert: {tried:#}");
    for port in PORTS {
        lab.host.sh(&format!("systemctl stop am{port}"));
    }
    lab.kill("shop");
    lab.await_state("shop", "held");
    lab.wait("its message waits", || !lab.messages(1, "cluster").is_empty());
    lab.host.sh("systemctl stop sentinel");
    // As an older version has left it behind: with a link that is refused.
    let edited = lab.host.sh("python3 /root/break_links.py /var/lib/sentinel");
    assert_ne!(edited.trim(), "0", "there is a message to break");
    for port in PORTS {
        start(&lab, port);
    }
    lab.host.sh("systemctl start sentinel");
    lab.await_state("cart", "healthy");
    lab.kill("cart");
    for service in ["shop", "cart"] {
        everywhere(&lab, "both are shown", |port| {
            alerts(&lab, port, &format!("service={service}")).len() == 1
        });
    }
    let link = |service: &str| {
        alerts(&lab, PORTS[0], &format!("service={service}")).remove(0)["generatorURL"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(link("shop"), "", "without the link that is refused");
    assert_eq!(link("cart"), "https://runbooks.example/100%25/cart");
    let log = lab.host.sh("journalctl --no-pager --unit sentinel --output cat");
    assert!(
        log.contains("the replica refuses the link of an alert, which is sent without it"),
        "{log}"
    );
}
