//! What stands where a name is expected: the completions that clap makes know commands and options, and ask the agent, by
//! `sentinel names`, for the rest.

use std::fmt::Write as _;

use anyhow::ensure;
use clap::{Arg, Command};
use clap_complete::Shell;

/// The command, the argument as clap calls it, and what `sentinel names` is asked for.
const NAMED: [(&str, &str, &str); 13] = [
    ("status", "name", "services"),
    ("restart", "name", "services"),
    ("pause", "name", "services"),
    ("resume", "name", "services"),
    ("deploy", "name", "services"),
    ("incidents", "id", "incidents"),
    ("incidents", "service", "services"),
    ("ack", "id", "open-incidents"),
    ("replay", "id", "incidents"),
    ("silence expire", "id", "silences"),
    ("silence add", "service", "services"),
    ("alerts route", "service", "services"),
    ("alerts test", "receiver", "receivers"),
];

/// An argument that is a name.
struct Named<'a> {
    path: &'a str,
    arg: &'a Arg,
    kind: &'a str,
}

/// Adds them to what clap has made for `shell`.
pub(crate) fn add(shell: Shell, command: &Command, script: &str) -> anyhow::Result<String> {
    let named = NAMED.iter().map(|(path, id, kind)| {
        let command = path
            .split(' ')
            .try_fold(command, |command, word| command.find_subcommand(word));
        let arg = command.and_then(|command| command.get_arguments().find(|arg| arg.get_id() == *id));
        arg.map(|arg| Named { path, arg, kind })
            .ok_or_else(|| anyhow::anyhow!("there is no `{id}` of `sentinel {path}`"))
    });
    let named = named.collect::<anyhow::Result<Vec<_>>>()?;
    match shell {
        Shell::Bash => Ok(bash(command, &named, script)),
        Shell::Fish => Ok(fish(&named, script)),
        _ => zsh(&named, script),
    }
}

fn bash(command: &Command, named: &[Named<'_>], script: &str) -> String {
    // What takes a value, so that the value is not taken for a command.
    let mut valued = Vec::new();
    walk(command, &mut |command| {
        let takes = |arg: &&Arg| arg.get_action().takes_values();
        let options = command.get_arguments().filter(takes).filter_map(Arg::get_long);
        valued.extend(options.map(|long| format!("--{long}")));
    });
    valued.sort();
    valued.dedup();
    let mut cases = String::new();
    for Named { path, arg, kind } in named {
        let previous = arg.get_long().map_or_else(String::new, |long| format!("--{long}"));
        // Writing to a string cannot fail.
        let _ = writeln!(cases, "        ' {path}|{previous}') kind={kind} ;;");
    }
    format!(
        r#"{script}
# Names, which the agent knows; whatever else is expected is clap's to complete.
_sentinel_names() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} path= option= kind= name word
    local -a asked=("$1")
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if [ -n "$option" ]; then
            case $option in --socket | --config) asked+=("$option" "$word") ;; esac
            option=
            continue
        fi
        case $word in
            {valued}) option=$word ;;
            -*) ;;
            *) path+=" $word" ;;
        esac
    done
    case "$path|$option" in
{cases}    esac
    if [ -z "$kind" ] || [[ $current == -* ]]; then
        _sentinel "$@"
        return
    fi
    # A file is no name.
    compopt +o bashdefault +o default 2>/dev/null
    COMPREPLY=()
    while IFS=$'\t' read -r name _; do
        [[ $name != "$current"* ]] || COMPREPLY+=("$name")
    done < <("${{asked[@]}}" names "$kind" 2>/dev/null)
}}
complete -F _sentinel_names -o nosort -o bashdefault -o default sentinel
"#,
        valued = valued.join(" | "),
    )
}

fn fish(named: &[Named<'_>], script: &str) -> String {
    named
        .iter()
        .fold(script.to_owned(), |mut script, Named { path, arg, kind }| {
            let mut words = path.split(' ');
            let mut when = format!("__fish_sentinel_using_subcommand {}", words.next().unwrap_or_default());
            for word in words {
                let _ = write!(when, "; and __fish_seen_subcommand_from {word}");
            }
            let option = arg.get_long().map_or_else(String::new, |long| format!(" -l {long} -r"));
            let _ = writeln!(
                script,
                "complete -c sentinel -n \"{when}\"{option} -k -f -a \"(sentinel names {kind})\""
            );
            script
        })
}

fn zsh(named: &[Named<'_>], script: &str) -> anyhow::Result<String> {
    const FUNCTION: &str = r#"
(( $+functions[_sentinel_names] )) ||
_sentinel_names() {
    local -a names
    names=(${(f)"$(_call_program names sentinel names $1 2>/dev/null)"})
    names=(${names//:/\\:})
    names=(${names/$'\t'/:})
    _describe -V $1 names
}
"#;
    let mut lines: Vec<String> = script.lines().map(str::to_owned).collect();
    for Named { path, arg, kind } in named {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        // Neither an option of this name nor a help text of these words means anything else.
        let begins = match arg.get_long() {
            Some(long) => format!("--{long}=["),
            None => format!(":{} -- {help}:", arg.get_id()),
        };
        let action = format!(": _sentinel_names {kind}' \\");
        let mut found = false;
        for line in lines.iter_mut().filter(|line| line.contains(&begins)) {
            found = true;
            if let Some(spec) = line.strip_suffix(":_default' \\") {
                *line = format!("{spec}{action}");
            }
        }
        ensure!(found, "zsh has nothing for `{begins}` of `sentinel {path}`");
    }
    let end = lines
        .iter()
        .rposition(|line| line.starts_with("if [ \"$funcstack[1]\""))
        .unwrap_or(lines.len());
    lines.insert(end, FUNCTION.trim_start().to_owned());
    Ok(lines.join("\n") + "\n")
}

fn walk(command: &Command, look: &mut impl FnMut(&Command)) {
    look(command);
    for below in command.get_subcommands() {
        walk(below, look);
    }
}
