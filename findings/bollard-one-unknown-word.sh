#!/bin/bash
# One container in a state that bollard does not know makes it lose the whole list of containers.
#
# Seen with: bollard 0.21.1 (its models are bollard-stubs 1.53.1-rc.29.3.1).
#
# The states of containers, the types and the actions of events are closed enums there. podman answers the same requests as
# Docker and has states of its own, as `initialized` between its creation and its start. serde then refuses the answer, not
# the entry: a caller who lists a hundred containers gets an error instead of ninety-nine. The same is so for an event of an
# unknown type, and of a container's inspection.
#
# Expected here: the list with states of Docker's is read, the list with one of podman's beside it is an error that names the
# word, and so is one event of podman's type `system`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --vcs none --name finding .
cat >>Cargo.toml <<'END'
bollard = { version = "=0.21.1", default-features = false }
serde_json = "=1.0.145"
END
cat >src/main.rs <<'END'
use bollard::models::{ContainerSummary, EventMessage};

fn list(answer: &str) {
    match serde_json::from_str::<Vec<ContainerSummary>>(answer) {
        Ok(containers) => println!("list: {} containers", containers.len()),
        Err(error) => println!("list: {}", error.to_string().split(',').next().unwrap()),
    }
}

fn main() {
    list(r#"[{"Id":"a","State":"running"},{"Id":"b","State":"exited"}]"#);
    list(r#"[{"Id":"a","State":"running"},{"Id":"b","State":"initialized"}]"#);
    match serde_json::from_str::<EventMessage>(r#"{"Type":"system","Action":"refresh","time":1}"#) {
        Ok(event) => println!("event: {:?}", event.typ),
        Err(error) => println!("event: {}", error.to_string().split(',').next().unwrap()),
    }
}
END
seen=$(cargo run --quiet)
echo "$seen"
diff - <(echo "$seen") <<'END'
list: 2 containers
list: unknown variant `initialized`
event: unknown variant `system`
END
echo 'bollard 0.21.1: one unknown word loses the whole answer'
