//! Keys of a service that the labels of a container set: `sentinel.interval=5s` is `interval = "5s"`.
//!
//! They are held against the same table of keys as a file, and read as variables of the environment are: lists are
//! separated by commas, or written as TOML when they begin with `[`; tables are written as TOML, or key by key.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::environment::{kind_at, parse};
use super::findings::{Findings, join};
use super::inputs::Inputs;
use super::layer::Layer;
use super::problem::{Place, Problem};
use super::rules::shown;
use super::schema::{Kind, Section, is_bare, nearest, quoted_list};
use super::{ROOT, merge, validate};

/// What a label cannot set. A container is its own target, and its labels must not run programs on the host.
const REFUSED: [&str; 7] = [
    "unit",
    "container",
    "compose",
    "process",
    "command",
    "may_affect",
    "enabled",
];

/// Nor must they send files of the host to where they say.
const SECRET_HEADERS: &str = "headers_file";

/// A label that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelProblem {
    /// Its name.
    pub label: String,
    /// What is wrong.
    pub message: String,
    /// The nearest right label.
    pub suggestion: Option<String>,
}

impl LabelProblem {
    /// What is wrong with one label, without a suggestion.
    pub fn new(label: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            message: message.into(),
            suggestion: None,
        }
    }
}

impl fmt::Display for LabelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "label {}: {}", shown(&self.label), self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

/// What a label whose name begins as ours do is, by the rest of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A key, or one that is refused with its reason.
    Key,
    /// Most likely a slip of the pen.
    Near(&'static str),
    /// A word of another program's.
    Foreign,
}

/// Edits that make one word of another by mistake. Half of the letters are another word: `zone` is no `mode`.
const SLIP: usize = 2;

/// What `name`, a label without its prefix, is.
pub fn meaning(name: &str) -> Meaning {
    let first = name.split('.').next().unwrap_or_default();
    let words = || known().chain(REFUSED);
    if words().any(|word| word == first) {
        return Meaning::Key;
    }
    let distances = words().map(|word| (strsim::damerau_levenshtein(first, word), word));
    let near = distances.filter(|(edits, word)| *edits <= SLIP && 2 * edits < word.len().max(first.len()));
    match near.min_by_key(|(edits, _)| *edits) {
        Some((_, word)) => Meaning::Near(word),
        None => Meaning::Foreign,
    }
}

/// Checks the keys that labels set for a service, and answers them as TOML, `interval = "5s"` as two texts.
///
/// `target` is the key and the value by which the container is known. Whether the services in `after` exist is not
/// looked at: that depends on all the others.
///
/// # Errors
///
/// Everything that is wrong, by the names of the labels.
pub fn service_keys(
    service: &str,
    target: (&str, &str),
    labels: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<LabelProblem>> {
    let mut problems = Vec::new();
    let mut keys = BTreeMap::new();
    for (name, text) in labels {
        match entry(service, name, text) {
            Ok((key, value)) => {
                if keys.insert(key.clone(), value).is_some() {
                    let label = format!("sentinel.{name}");
                    problems.push(LabelProblem::new(
                        label,
                        format!("sets `{key}`, which another label sets as well"),
                    ));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    let alone: BTreeMap<String, String> = keys
        .iter()
        .filter(|(key, _)| *key != "after")
        .map(|(key, value)| (key.clone(), value.clone()))
        .chain([(target.0.to_owned(), quote(target.1))])
        .collect();
    // Each by itself first: else one slip in the making of a document would hide what is wrong with the others.
    for (key, value) in &keys {
        problems.extend(check(service, &BTreeMap::from([(key.clone(), value.clone())]), false));
    }
    if problems.is_empty() {
        problems.extend(check(service, &alone, true));
    }
    if problems.is_empty() {
        return Ok(keys);
    }
    problems.sort_unstable();
    problems.dedup();
    Err(problems)
}

/// One label as key and value of TOML.
fn entry(service: &str, name: &str, text: &str) -> Result<(String, String), LabelProblem> {
    let label = format!("sentinel.{name}");
    let parts: Vec<&str> = name.split('.').collect();
    if let Some(first) = parts.first().filter(|first| REFUSED.contains(first)) {
        let message = match *first {
            "enabled" => "labels have `sentinel.enable`",
            "command" | "process" => "a label cannot run a program on the host; that takes a configuration file",
            _ => "the container itself is what is watched",
        };
        return Err(LabelProblem::new(label, message));
    }
    let path: Vec<&str> = ["services", service].into_iter().chain(parts.iter().copied()).collect();
    let kind = kind_at(&path);
    let value = parse(kind, text);
    let is_in_table =
        matches!(&value, DeValue::Table(table) if table.keys().any(|key| key.get_ref() == SECRET_HEADERS));
    if is_in_table || parts.contains(&SECRET_HEADERS) {
        let message = "a label cannot have a file of the host read and sent; that takes a configuration file";
        return Err(LabelProblem::new(label, message));
    }
    if text.contains('\n') && !matches!(value, DeValue::String(_)) {
        return Err(LabelProblem::new(label, "must be on one line"));
    }
    let mut key = parts
        .iter()
        .map(|part| bare_or_quoted(part))
        .collect::<Vec<_>>()
        .join(".");
    if let (Some(Kind::Table { short: Some(short), .. }), DeValue::String(_)) = (kind, &value) {
        key = format!("{key}.{short}");
    }
    Ok((key, render(&value, text)))
}

fn bare_or_quoted(part: &str) -> String {
    if is_bare(part) { part.to_owned() } else { quote(part) }
}

fn render(value: &DeValue<'_>, text: &str) -> String {
    match value {
        DeValue::String(text) => quote(text),
        DeValue::Array(items) if !text.trim_start().starts_with('[') => {
            let items: Vec<String> = items
                .iter()
                .filter_map(|item| item.get_ref().as_str().map(quote))
                .collect();
            format!("[{}]", items.join(", "))
        }
        _ => text.trim().to_owned(),
    }
}

/// `text` as a string of TOML, which takes what JSON does and is stricter in one character.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// What is wrong with these keys of a service: one by one, or as a `whole`.
fn check(service: &str, keys: &BTreeMap<String, String>, whole: bool) -> Vec<LabelProblem> {
    let lines: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let text = format!("[services.{}]\n{}", bare_or_quoted(service), lines.concat());
    let table = match DeTable::parse(&text) {
        Ok(table) => table,
        // Two labels say the same, such as `http` and `http.url`.
        Err(error) => {
            let name = keys.keys().next().map_or("sentinel", String::as_str);
            return vec![LabelProblem::new(
                format!("sentinel.{name}"),
                error.message().trim_end(),
            )];
        }
    };
    let place = Place::source(0, "labels");
    let mut findings = Findings::new(place.clone());
    let layer = Layer::from_variable(table.get_ref(), &place, &mut findings);
    if whole && let Some(inputs) = merge::<Inputs>(vec![layer], &mut findings) {
        validate::settings(inputs, &mut findings);
    }
    let errors = findings.finish().err();
    let prefix = join("services", service);
    let problems = errors.into_iter().flat_map(|errors| errors.problems);
    problems.map(|problem| rename(problem, &prefix)).collect()
}

/// From the words of a file to those of a label.
fn rename(problem: Problem, prefix: &str) -> LabelProblem {
    let inner = problem.key.strip_prefix(prefix).unwrap_or(&problem.key);
    let inner = inner.trim_start_matches('.');
    let label = format!("sentinel.{inner}");
    if !problem.message.starts_with("unknown key") {
        return LabelProblem {
            label,
            message: problem.message,
            suggestion: problem.suggestion,
        };
    }
    let meant = match inner.rsplit_once('.') {
        Some((table, _)) => problem.suggestion.map(|meant| format!("{table}.{meant}")),
        None => nearest(inner, known()).map(str::to_owned),
    };
    let message = match &meant {
        None if !inner.contains('.') => format!("unknown label; known are {}", quoted_list(known())),
        _ => "unknown label".to_owned(),
    };
    LabelProblem {
        label,
        message,
        suggestion: meant.map(|meant| format!("sentinel.{meant}")),
    }
}

/// The labels there are, without what they begin with. The first two are no keys of a file.
fn known() -> impl Iterator<Item = &'static str> {
    let services = ROOT.key("services").and_then(|key| match key.kind {
        Kind::Named { section, .. } => Some(section),
        _ => None,
    });
    let keys = services.into_iter().flat_map(Section::all).map(|key| key.name);
    ["enable", "name"]
        .into_iter()
        .chain(keys.filter(|key| !REFUSED.contains(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_is_a_key_or_a_slip_or_another_tables() {
        for (name, expected) in [
            ("interval", Meaning::Key),
            ("recovery.brust", Meaning::Key),
            ("command", Meaning::Key),
            ("intervall", Meaning::Near("interval")),
            ("enabel", Meaning::Near("enable")),
            ("htpp.url", Meaning::Near("http")),
            ("team", Meaning::Foreign),
            ("zone.name", Meaning::Foreign),
            // Two of three letters: that is no `tcp`.
            ("app", Meaning::Foreign),
            ("", Meaning::Foreign),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }

    fn keys(labels: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
        let labels = labels
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let read = service_keys("web", ("container", "web"), &labels.collect());
        read.map(|keys| keys.iter().map(|(key, value)| format!("{key} = {value}")).collect())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn labels_are_keys_of_the_configuration() {
        let read = keys(&[
            ("http", "http://127.0.0.1:8000/health"),
            ("http.status", "200,204"),
            ("interval", "5s"),
            ("fall", "2"),
            ("after", "db, cache"),
            ("mode", "observe"),
            ("recovery.burst", "3"),
            ("labels.team", "a \"b\""),
        ]);
        let expected = [
            "after = [\"db\", \"cache\"]",
            "fall = 2",
            "http.status = [\"200\", \"204\"]",
            "http.url = \"http://127.0.0.1:8000/health\"",
            "interval = \"5s\"",
            "labels.team = \"a \\\"b\\\"\"",
            "mode = \"observe\"",
            "recovery.burst = 3",
        ];
        assert_eq!(read, Ok(expected.map(str::to_owned).to_vec()));
        assert_eq!(keys(&[]), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_reported_by_the_name_of_the_label() {
        for (name, text, said) in [
            (
                "intervall",
                "5s",
                "label `sentinel.intervall`: unknown label; did you mean `sentinel.interval`?",
            ),
            (
                "recovery.brust",
                "5",
                "label `sentinel.recovery.brust`: unknown label; did you mean `sentinel.recovery.burst`?",
            ),
            (
                "enabel",
                "true",
                "label `sentinel.enabel`: unknown label; did you mean `sentinel.enable`?",
            ),
            (
                "http.headers_file",
                "/etc/sentinel/secrets/x",
                "label `sentinel.http.headers_file`: a label cannot have a file of the host read and sent; that takes a \
                 configuration file",
            ),
            (
                "http",
                "{ url = \"http://127.0.0.1/\", headers_file = \"/etc/sentinel/secrets/x\" }",
                "label `sentinel.http`: a label cannot have a file of the host read and sent; that takes a configuration file",
            ),
            (
                "enabled",
                "true",
                "label `sentinel.enabled`: labels have `sentinel.enable`",
            ),
            (
                "mode",
                "heel",
                "label `sentinel.mode`: `heel` is not one of `heal`, `observe`; did you mean `heal`?",
            ),
            (
                "command",
                "/bin/true",
                "label `sentinel.command`: a label cannot run a program on the host; that takes a configuration file",
            ),
            (
                "unit",
                "nginx",
                "label `sentinel.unit`: the container itself is what is watched",
            ),
        ] {
            assert_eq!(keys(&[(name, text)]), Err(vec![said.to_owned()]));
        }
        let wrong = keys(&[("interval", "soon"), ("fall", "many"), ("zzzzzzzz", "1"), ("rise", "2")]).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[2].contains("known are `enable`, `name`, `http`"), "{wrong:?}");
        let longer = keys(&[("timeout", "20s"), ("tcp", "127.0.0.1:1")]).unwrap_err();
        assert!(
            longer[0].starts_with("label `sentinel.timeout`: `timeout`, 20s, must not be longer"),
            "{longer:?}"
        );
        let twice = keys(&[("http", "http://a/"), ("http.url", "http://b/")]);
        let said = "label `sentinel.http.url`: sets `http.url`, which another label sets as well";
        assert_eq!(twice.unwrap_err(), [said]);
    }
}
