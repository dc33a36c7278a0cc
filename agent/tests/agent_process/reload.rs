//! The configuration changes while the agent runs.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};

use super::agent::{BOUND, Hook, Place, wait};

#[test]
fn services_come_and_go_and_the_others_are_not_disturbed() {
    let mut place = Place::new();
    place.begin("shop");
    place.begin("mail");
    place.configure(&place.service("shop", ""));
    place.start();
    place.kill_and_see_healed("shop");
    let attempts = place.status("shop")["attempts_left"].clone();

    place.configure(&(place.service("shop", "") + &place.service("mail", "")));
    let line = place.hang_up();
    assert!(
        line.contains("event=reloaded added=1 removed=0 changed=0 unchanged=1"),
        "{line}"
    );
    place.wait_for_state("mail", "healthy");
    assert_eq!(place.status("shop")["attempts_left"], attempts);
    assert_eq!(place.status("shop")["state"], "healthy");
    place.kill_and_see_healed("mail");
    place.kill_and_see_healed("shop");

    // Another process behind the same name.
    place.begin("other");
    let other = place
        .service("other", "")
        .replace("[services.other]", "[services.mail]");
    place.configure(&other);
    let line = place.hang_up();
    assert!(line.contains("added=0 removed=1 changed=1 unchanged=0"), "{line}");
    place.wait_for_state("mail", "healthy");
    let seen = place.lines().len();
    place.kill("shop");
    place.kill("mail");
    place.kill("other");
    place.line_after(seen, &["service=mail", "event=verified"]);
    assert!(place.runs("other"));
    assert!(!place.runs("shop"), "what is no longer configured is left alone");
    assert!(!place.runs("mail"), "and so is what another target was");
    assert!(place.lines()[seen..].iter().all(|line| !line.contains("service=shop")));
    assert_eq!(place.status("shop"), serde_json::Value::Null);
}

#[test]
fn healing_that_a_reload_ends_is_named_with_the_line_that_does_it() {
    let mut place = Place::new();
    place.begin("shop");
    place.begin("mail");
    let both = place.service("shop", "") + &place.service("mail", "");
    place.configure(&both);
    place.start();
    place.wait_for_state("shop", "healthy");

    // By the defaults, for all; and by another service of the same target.
    place.configure(&format!("[defaults]\nmode = \"observe\"\n{both}"));
    let seen = place.lines().len();
    assert!(place.hang_up().contains("event=reloaded"));
    for service in ["shop", "mail"] {
        let service = format!("service={service}");
        let line = place.line_after(seen, &["event=healing_off", &service]);
        assert!(line.contains("sentinel.toml") && line.contains("level=warn"), "{line}");
    }
    place.configure(&both);
    assert!(place.hang_up().contains("event=reloaded"));
    let renamed = both.replace("[services.mail]", "[services.post]\nmode = \"observe\"");
    place.configure(&renamed);
    let asked = place.ask(&["reload"]);
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(
        said.contains("`post` was healed and is only observed from now on: "),
        "{said}"
    );
    assert!(!said.contains("`shop`"), "{said}");
}

#[test]
fn wrong_configuration_is_refused_and_the_old_one_goes_on() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    place.configure(&(place.service("shop", "intervall = \"5s\"") + "[alerts]\nreceivers = [\"nobody\"]\n"));
    let line = place.hang_up();
    assert!(line.contains("event=reload_failed"), "{line}");
    assert!(
        line.contains("did you mean `interval`?") && line.contains("errors=2"),
        "{line}"
    );

    let asked = place.ask(&["reload"]);
    let checked = place.ask(&["check"]);
    assert_eq!((asked.status.code(), checked.status.code()), (Some(1), Some(1)));
    let (asked, checked) = (
        String::from_utf8_lossy(&asked.stderr),
        String::from_utf8_lossy(&checked.stderr),
    );
    let problems = |text: &str| text.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(problems(&asked), problems(&checked));
    assert!(
        asked.ends_with("\n\n2 errors; the old configuration stays in force\n"),
        "{asked}"
    );
    place.kill_and_see_healed("shop");

    place.configure("[services.shop\n");
    assert!(place.hang_up().contains("reload_failed"));
    std::fs::remove_file(place.path("sentinel.toml")).unwrap();
    assert!(place.hang_up().contains("reload_failed"));
    place.configure(&place.service("shop", ""));
    assert!(place.hang_up().contains("unchanged=1"));
    place.kill_and_see_healed("shop");
}

#[test]
fn each_file_is_opened_once_for_a_reload() {
    let mut place = Place::new();
    place.begin("shop");
    let path = |name: &str| place.path(name).display().to_string();
    std::fs::write(path("url"), "http://127.0.0.1:1/").unwrap();
    std::fs::write(path("words"), "{{ service }} is down").unwrap();
    std::fs::create_dir(path("conf.d")).unwrap();
    let team = format!(
        "[receivers.team]\nwebhook.url_file = \"{}\"\ntemplate_file = \"{}\"\n",
        path("url"),
        path("words")
    );
    std::fs::write(path("conf.d/team.toml"), team).unwrap();
    // A service that may be found as well, so that files are laid over what is found.
    place.configure(&(place.service("shop", "") + "[services.web]\nfall = 5\n"));
    place.start();
    place.wait_for_state("shop", "healthy");

    let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    let mut names = BTreeMap::new();
    for name in ["sentinel.toml", "conf.d/team.toml", "url", "words"] {
        // What is closed between two times that it is opened keeps these two apart.
        let events = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE;
        names.insert(add_watch(&watch, place.path(name), events).unwrap(), name);
    }
    assert!(place.hang_up().contains("event=reloaded"));
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(&watch, &mut buffer);
    let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
    while let Ok(event) = events.next() {
        if event.events().contains(ReadFlags::OPEN) {
            *opened.entry(names[&event.wd()]).or_default() += 1;
        }
    }
    let once = BTreeMap::from([("sentinel.toml", 1), ("conf.d/team.toml", 1), ("url", 1), ("words", 1)]);
    assert_eq!(opened, once);
}

#[test]
fn what_needs_a_restart_is_refused_by_name() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    place.configure(&place.service("shop", "fall = 7"));
    let text = std::fs::read_to_string(place.path("sentinel.toml")).unwrap();
    let text = text.replace("/state\"", "/elsewhere\"").replace("logfmt", "json");
    std::fs::write(place.path("sentinel.toml"), text).unwrap();
    let asked = place.ask(&["reload"]);
    assert_eq!(asked.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&asked.stderr),
        "agent.state_dir: cannot be changed by a reload; restart the agent\n\
         agent.log: cannot be changed by a reload; restart the agent\n\n\
         2 errors; the old configuration stays in force\n"
    );
    assert!(!place.path("elsewhere").exists());
}

#[test]
fn reload_by_command_says_what_changed_and_what_is_odd() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    place.configure("");
    let asked = place.ask(&["reload"]);
    assert_eq!(asked.status.code(), Some(0));
    let text = String::from_utf8_lossy(&asked.stdout);
    assert!(text.contains("no services: nothing is watched"), "{text}");
    assert!(
        text.ends_with("reloaded; services: 0 added, 1 removed, 0 changed, 0 unchanged\n"),
        "{text}"
    );
    place.line_after(0, &["event=config_warning", "no services"]);
    // Nothing is watched, so nothing is done; and it may all come back.
    place.configure(&place.service("shop", ""));
    assert_eq!(place.ask(&["reload"]).status.code(), Some(0));
    place.wait_for_state("shop", "healthy");
    place.kill_and_see_healed("shop");

    place.kill_agent();
    assert_eq!(place.ask(&["reload"]).status.code(), Some(3));
}

#[test]
fn no_reload_grants_a_budget() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", "recovery.burst = 1\nrecovery.reset_after = \"1h\""));
    place.start();
    place.kill_and_see_healed("shop");
    place.kill("shop");
    place.wait_for_state("shop", "gave_up");

    let generous = place.service("shop", "recovery.burst = 100\nrecovery.window = \"1s\"");
    place.configure(&generous);
    assert!(place.hang_up().contains("changed=1"));
    assert_eq!(place.status("shop")["state"], "gave_up");
    place.configure("");
    assert!(place.hang_up().contains("removed=1"));
    place.configure(&generous);
    assert!(place.hang_up().contains("added=1"));
    place.wait_for_state("shop", "gave_up");
    assert_eq!(place.status("shop")["attempts_left"], 0);
    // Nor does a reload while the agent is down.
    place.configure("");
    place.kill_agent();
    place.start();
    place.configure(&generous);
    assert!(place.hang_up().contains("added=1"));
    place.wait_for_state("shop", "gave_up");
    assert!(!place.runs("shop"));
}

#[test]
fn receivers_are_exchanged_and_notified_receivers_hear_the_end() {
    let mut place = Place::new();
    let (first, second) = (Hook::start(), Hook::start());
    place.begin("shop");
    let shop = place.service("shop", "");
    place.configure(&(shop.clone() + &first.receiver("first")));
    place.start();
    place.kill_and_see_healed("shop");
    first.wait_for(&["shop healed"]);

    let observed = place.service("shop", "mode = \"observe\"") + "[alerts]\nnotify_after = \"0s\"\n";
    place.configure(&(observed + &second.receiver("second")));
    assert!(place.hang_up().contains("changed=1"));
    place.kill("shop");
    second.wait_for(&["shop fired"]);
    place.configure(&second.receiver("second"));
    assert!(place.hang_up().contains("removed=1"));
    second.wait_for(&["shop fired", "shop resolved"]);
    place.line_after(0, &["service=shop", "event=incident_closed", "resolution=unmanaged"]);
    assert_eq!(first.messages(), ["shop healed"]);

    // The same name, elsewhere.
    place.configure(&(shop + &first.receiver("second")));
    assert!(place.hang_up().contains("added=1"));
    first.wait_for(&["shop healed", "shop healed"]);
}

#[test]
fn who_removes_a_receiver_hears_of_what_waits_for_it() {
    // It takes connections, and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = Hook::start();
    let mut place = Place::new();
    place.begin("shop");
    let shop =
        place.service("shop", "mode = \"observe\"") + "[alerts]\nnotify_after = \"0s\"\n" + &hook.receiver("team");
    let address = silent.local_addr().unwrap();
    place.configure(&format!(
        "{shop}[receivers.silent]\nwebhook.url = \"http://{address}/\"\n"
    ));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    hook.wait_for(&["shop fired"]);
    let (_held, _) = silent.accept().unwrap();
    let reload = || {
        let output = place.ask(&["reload"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!reload().contains("will not arrive"));
    place.configure(&shop);
    let said = reload();
    let warning = "warning: 1 message to receivers that are no longer configured will not arrive any more";
    assert!(said.contains(warning), "{said}");
    assert!(!reload().contains("will not arrive"), "said once");
}

#[test]
fn action_in_flight_is_finished_although_its_service_was_removed() {
    let mut place = Place::new();
    place.begin("shop");
    let gate = place.path("gate");
    let slow = place.service("shop", "").replace(
        "echo $$",
        &format!("until [ -e {} ]; do sleep 0.05; done; echo $$", gate.display()),
    );
    place.configure(&slow);
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    place.line_after(0, &["service=shop", "event=restart "]);
    place.configure("");
    assert!(place.hang_up().contains("removed=1"));
    std::fs::write(gate, "").unwrap();
    place.line_after(0, &["service=shop", "event=restart_ended", "result=done"]);
    place.line_after(0, &["service=shop", "event=incident_closed", "resolution=unmanaged"]);
    assert!(place.runs("shop"));
}

#[test]
fn service_manager_is_reported_of_every_reload() {
    let mut place = Place::new();
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    place
        .variables
        .push(("NOTIFY_SOCKET".to_owned(), path.display().to_string()));
    place.configure("");
    place.start();
    // Words about the services come whenever they change.
    let next = || loop {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        let reported = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !reported.starts_with("STATUS=") {
            return reported;
        }
    };
    assert_eq!(next().trim(), "READY=1");
    for text in ["", "wrong"] {
        place.configure(text);
        place.hang_up();
        let reported = next();
        assert!(reported.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reported}");
        assert_eq!(next().trim(), "READY=1");
    }
    place.configure("");
    wait("the agent is still there", || {
        place.ask(&["status"]).status.success().then_some(())
    });
}
