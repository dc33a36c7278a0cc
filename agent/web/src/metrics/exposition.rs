//! The two text formats of Prometheus: its own, version 0.0.4, and `OpenMetrics`, version 1.0. Pure.
//!
//! Written by hand: `prometheus-client` writes `OpenMetrics` alone, `prometheus` the other alone, and both keep what they
//! count in their own structures, where the driver counts in its.

use std::fmt::Write as _;

use sentinel_driver::counters::Histogram;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own.
    Text,
    /// `OpenMetrics`.
    OpenMetrics,
}

impl Format {
    /// The one that a client prefers by its `Accept`; the older one where it does not say.
    pub(crate) fn of(accept: Option<&str>) -> Self {
        let mut open = 0.0;
        let mut text = 0.0_f32;
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if kind.eq_ignore_ascii_case("application/openmetrics-text") {
                open = f32::max(open, quality);
            } else if kind.eq_ignore_ascii_case("text/plain") {
                text = f32::max(text, quality);
            }
        }
        if open > 0.0 && open >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// What an answer in it is called.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How values were spread.
    Histogram,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric with its labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// As it is queried: counters with `_total`.
    pub(super) name: &'static str,
    /// Its kind.
    pub(super) kind: Kind,
    /// What its samples differ in.
    pub(super) labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub(super) help: &'static str,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Integer(u64),
    Float(f64),
}

/// Writes families, one after the other.
pub(super) struct Writer {
    out: String,
    format: Format,
}

impl Writer {
    pub(super) fn new(format: Format, capacity: usize) -> Self {
        Self {
            out: String::with_capacity(capacity),
            format,
        }
    }

    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, family: &'static Family) -> Samples<'_> {
        // OpenMetrics has the name of a counter without what its samples end in.
        let name = match self.format {
            Format::OpenMetrics if family.kind == Kind::Counter => family.name.trim_end_matches("_total"),
            _ => family.name,
        };
        let _ = write!(self.out, "# HELP {name} ");
        escape(family.help, self.format == Format::OpenMetrics, &mut self.out);
        let _ = writeln!(self.out, "\n# TYPE {name} {}", family.kind.as_str());
        Samples { writer: self, family }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

/// Writes the samples of a family.
pub(super) struct Samples<'a> {
    writer: &'a mut Writer,
    family: &'static Family,
}

impl Samples<'_> {
    /// One sample; `values` are those of the family's labels, in order. An empty one is the same as none.
    pub(super) fn sample(&mut self, values: &[&str], value: Value) {
        self.line("", values, None, value);
    }

    /// One histogram.
    pub(super) fn histogram(&mut self, values: &[&str], histogram: &Histogram) {
        for (bound, count) in histogram.cumulative() {
            let bound = seconds(bound, self.writer.format);
            self.line("_bucket", values, Some(&bound), Value::Integer(count));
        }
        self.line("_bucket", values, Some("+Inf"), Value::Integer(histogram.count()));
        self.line("_sum", values, None, Value::Float(histogram.sum().as_secs_f64()));
        self.line("_count", values, None, Value::Integer(histogram.count()));
    }

    fn line(&mut self, suffix: &str, values: &[&str], bound: Option<&str>, value: Value) {
        debug_assert_eq!(values.len(), self.family.labels.len(), "{}", self.family.name);
        let out = &mut self.writer.out;
        out.push_str(self.family.name);
        out.push_str(suffix);
        let labels = self.family.labels.iter().copied().zip(values.iter().copied());
        let labels = labels.chain(bound.map(|bound| ("le", bound)));
        let mut before = '{';
        for (name, value) in labels.filter(|(_, value)| !value.is_empty()) {
            out.push(before);
            out.push_str(name);
            out.push_str("=\"");
            escape(value, true, out);
            out.push('"');
            before = ',';
        }
        if before == ',' {
            out.push('}');
        }
        let _ = match value {
            Value::Integer(value) => writeln!(out, " {value}"),
            Value::Float(value) => writeln!(out, " {value}"),
        };
    }
}

/// Milliseconds in seconds. `OpenMetrics` has a point in every bound.
fn seconds(millis: u64, format: Format) -> String {
    let (whole, rest) = (millis / 1000, millis % 1000);
    match (rest, format) {
        (0, Format::Text) => whole.to_string(),
        (0, Format::OpenMetrics) => format!("{whole}.0"),
        _ => format!("{whole}.{rest:03}").trim_end_matches('0').to_owned(),
    }
}

/// `text` with what would end it, or its line, escaped.
fn escape(text: &str, quotes: bool, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\n', '"']) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('"') if quotes => out.push_str("\\\""),
            other => out.extend(other),
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentinel_driver::counters::PROBE_BOUNDS;

    use super::*;

    static PLAIN: Family = Family {
        name: "sentinel_services",
        kind: Kind::Gauge,
        labels: &[],
        help: "Services.",
    };
    static COUNTER: Family = Family {
        name: "sentinel_restarts_total",
        kind: Kind::Counter,
        labels: &["service", "result"],
        help: "With \"quotes\", a \\ and\nan end.",
    };
    static HISTOGRAM: Family = Family {
        name: "sentinel_probe_duration_seconds",
        kind: Kind::Histogram,
        labels: &["service"],
        help: "How long.",
    };

    fn written(format: Format, write: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::new(format, 0);
        write(&mut writer);
        writer.finish()
    }

    #[test]
    fn a_counter_is_named_as_each_format_has_it() {
        let write = |out: &mut Writer| out.family(&COUNTER).sample(&["shop", "done"], Value::Integer(3));
        assert_eq!(
            written(Format::Text, write),
            "# HELP sentinel_restarts_total With \"quotes\", a \\\\ and\\nan end.\n\
             # TYPE sentinel_restarts_total counter\n\
             sentinel_restarts_total{service=\"shop\",result=\"done\"} 3\n"
        );
        assert_eq!(
            written(Format::OpenMetrics, write),
            "# HELP sentinel_restarts With \\\"quotes\\\", a \\\\ and\\nan end.\n\
             # TYPE sentinel_restarts counter\n\
             sentinel_restarts_total{service=\"shop\",result=\"done\"} 3\n\
             # EOF\n"
        );
    }

    #[test]
    fn values_of_labels_cannot_leave_their_quotes() {
        for (value, expected) in [
            ("shop", "{service=\"shop\"}"),
            ("a\"} 1\n# EOF", "{service=\"a\\\"} 1\\n# EOF\"}"),
            ("C:\\", "{service=\"C:\\\\\"}"),
            ("gr\u{fc}n\u{202e}", "{service=\"gr\u{fc}n\u{202e}\"}"),
            ("", ""),
        ] {
            let text = written(Format::Text, |out| {
                out.family(&COUNTER).sample(&[value, ""], Value::Integer(1));
            });
            let line = text.lines().last().unwrap();
            assert_eq!(line, format!("sentinel_restarts_total{expected} 1"), "{value:?}");
        }
    }

    #[test]
    fn values_are_written_as_they_are() {
        for (value, expected) in [
            (Value::Integer(0), "0"),
            (Value::Integer(u64::MAX), "18446744073709551615"),
            (Value::Float(0.0), "0"),
            (Value::Float(1.5), "1.5"),
            (Value::Float(1_796_000_000.25), "1796000000.25"),
        ] {
            let text = written(Format::Text, |out| out.family(&PLAIN).sample(&[], value));
            assert_eq!(text.lines().last().unwrap(), format!("sentinel_services {expected}"));
        }
    }

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_all() {
        let mut histogram = Histogram::new(&PROBE_BOUNDS);
        for millis in [1, 3, 700, 9000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let text = written(Format::OpenMetrics, |out| {
            out.family(&HISTOGRAM).histogram(&["shop"], &histogram);
        });
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let buckets: Vec<String> = [
            ("0.001", 1),
            ("0.002", 1),
            ("0.005", 2),
            ("0.01", 2),
            ("0.025", 2),
            ("0.05", 2),
            ("0.1", 2),
            ("0.25", 2),
            ("0.5", 2),
            ("1.0", 3),
            ("2.5", 3),
            ("5.0", 3),
            ("+Inf", 4),
        ]
        .iter()
        .map(|(bound, count)| {
            format!("sentinel_probe_duration_seconds_bucket{{service=\"shop\",le=\"{bound}\"}} {count}")
        })
        .collect();
        assert_eq!(samples[..13], buckets);
        assert_eq!(
            samples[13..],
            [
                "sentinel_probe_duration_seconds_sum{service=\"shop\"} 9.704",
                "sentinel_probe_duration_seconds_count{service=\"shop\"} 4"
            ]
        );
        let text = written(Format::Text, |out| {
            out.family(&HISTOGRAM).histogram(&["shop"], &histogram);
        });
        assert!(text.contains("le=\"1\"} 3\n"), "{text}");
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        use Format::{OpenMetrics, Text};
        for (accept, expected) in [
            (None, Text),
            (Some(""), Text),
            (Some("*/*"), Text),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Text),
            (Some("text/plain;version=0.0.4"), Text),
            (Some("application/openmetrics-text"), OpenMetrics),
            (Some("Application/OpenMetrics-Text; version=1.0.0"), OpenMetrics),
            // Prometheus 2.42, as Debian 12 has it.
            (
                Some(
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                OpenMetrics,
            ),
            (Some("application/openmetrics-text;q=0.5,text/plain"), Text),
            (Some("application/openmetrics-text;q=0"), Text),
            (Some("application/openmetrics-text;q=nonsense"), Text),
        ] {
            assert_eq!(Format::of(accept), expected, "{accept:?}");
        }
    }
}
