//! Single values: from TOML to what the table of keys allows.

use ::config::{Map, ValueKind};
use toml::de::{DeInteger, DeValue};

use super::rules::{self, shown};
use super::schema::{Kind, nearest};

/// Why a value cannot be used.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self {
            message,
            suggestion: None,
        }
    }
}

/// Checks a single value.
pub(super) fn scalar(kind: &Kind, value: &DeValue<'_>) -> Result<ValueKind, Wrong> {
    let unexpected = || Wrong::from(format!("expected {kind}, found {}", spell(value)));
    match (kind, value) {
        (Kind::Bool, DeValue::Boolean(value)) => Ok((*value).into()),
        (Kind::Integer { min, max }, DeValue::Integer(number)) => match integer(number) {
            Some(number) if (i64::from(*min)..=i64::from(*max)).contains(&number) => Ok(number.into()),
            _ => Err(format!("{number} is not {kind}").into()),
        },
        (Kind::Share { max }, DeValue::Integer(_) | DeValue::Float(_)) => match number(value) {
            Some(number) if (0.0..=*max).contains(&number) => Ok(number.into()),
            _ => Err(format!("expected {kind}").into()),
        },
        (Kind::AutoOrDuration(_), DeValue::String(text)) if text == "auto" => Ok("auto".into()),
        (Kind::OffOrDuration(_), DeValue::String(text)) if text == "off" => Ok("off".into()),
        // The commonest slip: a number without unit, meant as seconds.
        (
            Kind::Duration(bounds) | Kind::AutoOrDuration(bounds) | Kind::OffOrDuration(bounds),
            DeValue::String(text),
        ) => match rules::duration(text, *bounds) {
            Ok(_) => Ok(text.as_ref().into()),
            Err(message) => {
                let suggestion = text.parse::<u32>().is_ok().then(|| format!("{text}s"));
                Err(Wrong { message, suggestion })
            }
        },
        (Kind::Duration(_) | Kind::AutoOrDuration(_) | Kind::OffOrDuration(_), DeValue::Integer(number)) => {
            Err(Wrong {
                suggestion: Some(format!("\"{number}s\"")),
                ..unexpected()
            })
        }
        (Kind::Word(words), DeValue::String(text)) => {
            if words.contains(&text.as_ref()) {
                return Ok(text.as_ref().into());
            }
            let message = format!("{} is not {kind}", shown(text));
            Err(Wrong {
                message,
                suggestion: nearest(text, words.iter().copied()).map(str::to_owned),
            })
        }
        (Kind::WordOr { words, rule }, DeValue::String(text)) => {
            if rule(text).is_ok() {
                return Ok(text.as_ref().into());
            }
            Err(Wrong {
                message: format!("{} is not {kind}", shown(text)),
                suggestion: nearest(text, words.iter().copied()).map(str::to_owned).or_else(|| {
                    // `404`, `5xx`
                    let status = format!("status-{text}");
                    rule(&status).is_ok().then_some(status)
                }),
            })
        }
        (Kind::Text { rule, .. } | Kind::Status(rule), DeValue::String(text)) => {
            rule(text)?;
            Ok(text.as_ref().into())
        }
        (Kind::Status(rule), DeValue::Integer(number)) => {
            rule(&number.to_string())?;
            Ok(number.to_string().into())
        }
        (Kind::Json, value) => json(value).ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// A value as JSON has it; dates, and numbers that JSON cannot hold, have none.
fn json(value: &DeValue<'_>) -> Option<ValueKind> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => integer(number)?.into(),
        DeValue::Float(_) => number(value)?.into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| json(item.get_ref())).collect();
            items?.into()
        }
        DeValue::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref())?)));
            let entries: Option<Map<_, _>> = entries.collect();
            entries?.into()
        }
    })
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// What a value is, in words.
pub(super) fn spell(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
