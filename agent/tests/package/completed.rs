//! What the shells make of a Tab, each in the way it does so itself.

use crate::built::OLD;
use crate::harness::Lab;

/// What is typed before the Tab, and the word that stands there after it.
const TYPED: [(&str, &str); 4] = [
    ("sentinel sta", "status"),
    ("sentinel status --js", "--json"),
    ("sentinel alerts rou", "route"),
    ("demo-service inj", "inject"),
];

/// What `sentinel ` and a Tab offer, among others.
const OFFERED: [&str; 3] = ["check", "incidents", "status"];

/// The function that the package registers is asked as Readline asks it.
const BASH: &str = r#"
. /usr/share/bash-completion/bash_completion
line=$1
program=${line%% *}
read -ra COMP_WORDS <<<"$line"
case $line in *' ') COMP_WORDS+=('') ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE=$line COMP_POINT=${#line}
__load_completion "$program"
$(complete -p "$program" | sed 's/.* -F \([^ ]*\) .*/\1/') "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// What fish shows at a Tab: a candidate a line, with what it means behind it.
const FISH: &str = r#"complete --do-complete "$argv[1]" | string replace --regex '\t.*' ''; true"#;

/// An interactive zsh at a terminal, which is typed to; Tab lists what there is, and Ctrl-X says what stands in the line.
const ZSH: &str = r#"
export ZDOTDIR=$(mktemp -d)
cat >$ZDOTDIR/.zshrc <<'END'
autoload -U compinit && compinit -u
setopt no_auto_menu no_list_ambiguous
tell() { print -rn -- "LINE<$BUFFER>" }
zle -N tell
bindkey '^X' tell
LISTMAX=1000 PS1='READY>'
END
zmodload zsh/zpty
zpty shell zsh -i
zpty -r shell seen '*READY>*'
zpty -w -n shell "$1"$'\t\x18'
zpty -r shell seen '*LINE<*>*'
print -r -- "$seen" | tr -d '\r'
"#;

fn ask(lab: &Lab, shell: [&str; 3], line: &str) -> String {
    let [shell, how, script] = shell;
    let arguments: &[&str] = if shell == "fish" { &[line] } else { &["-", line] };
    // A shell that asks something back, or waits for what never comes, is ended.
    let mut command = lab.host.command(["timeout", "60", shell, how, script]);
    let output = command.args(arguments).output().expect("docker exec can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{shell}: `{line}`: {}\n{said}{errors}",
        output.status
    );
    said
}

/// What is typed before the Tab, and the name that stands there after it.
const NAMES: [(&str, &str); 6] = [
    ("sentinel status sh", "shop"),
    ("sentinel restart we", "web"),
    ("sentinel alerts test ho", "hook"),
    ("sentinel incidents --service sho", "shop"),
    ("sentinel silence add --service sho", "shop"),
    ("sentinel deploy we", "web"),
];

#[test]
fn every_shell_knows_names_of_services_receivers_and_incidents() {
    let lab = Lab::watching(OLD);
    lab.host.sh("systemctl kill --signal KILL shop");
    lab.wait("an incident is over", || {
        lab.incidents()
            .first()
            .is_some_and(|incident| incident["resolution"].is_string())
    });
    let bash = ["bash", "-c", BASH];
    let fish = ["fish", "-c", FISH];
    let zsh = ["zsh", "-fc", ZSH];
    for (typed, whole) in NAMES {
        let (rest, _) = typed.rsplit_once(' ').expect("there is a word before");
        for shell in [bash, fish] {
            assert_eq!(ask(&lab, shell, typed).trim(), whole, "{shell:?}: {typed}");
        }
        let said = ask(&lab, zsh, typed);
        assert!(said.contains(&format!("LINE<{rest} {whole} >")), "{typed}: {said}");
    }
    for shell in [bash, fish] {
        assert_eq!(ask(&lab, shell, "sentinel incidents ").trim(), "1", "{shell:?}");
        // It is over: there is nothing to take care of.
        assert_eq!(ask(&lab, shell, "sentinel ack ").trim(), "", "{shell:?}");
    }
    // Without the agent there are none, and nothing else is offered in their place.
    lab.host.sh("systemctl stop sentinel");
    assert_eq!(ask(&lab, bash, "sentinel status ").trim(), "");
    assert_eq!(ask(&lab, bash, "sentinel sta").trim(), "status");
}

#[test]
fn every_shell_completes_commands_and_options() {
    let lab = Lab::with(OLD);
    lab.host.sh("apt-get install -y demo-service");
    for shell in [["bash", "-c", BASH], ["fish", "-c", FISH]] {
        for (typed, whole) in TYPED {
            assert_eq!(ask(&lab, shell, typed).trim(), whole, "{shell:?}: {typed}");
        }
        let offered = ask(&lab, shell, "sentinel ");
        for word in OFFERED {
            assert!(
                offered.lines().any(|line| line == word),
                "{shell:?}: {word} in\n{offered}"
            );
        }
    }
    let zsh = ["zsh", "-fc", ZSH];
    for (typed, whole) in TYPED {
        let (rest, _) = typed.rsplit_once(' ').expect("there is a word before");
        let said = ask(&lab, zsh, typed);
        assert!(said.contains(&format!("LINE<{rest} {whole} >")), "{typed}: {said}");
    }
    let offered = ask(&lab, zsh, "sentinel ");
    for word in OFFERED {
        // At the beginning of a line, or in a further column of it.
        assert!(
            offered.split_whitespace().any(|said| said == word),
            "{word} in\n{offered}"
        );
    }
}
