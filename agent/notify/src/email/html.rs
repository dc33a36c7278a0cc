//! The HTML part of a mail. It must read well on a phone, in a narrow window and in a terminal, by day and by night: one
//! column, no pictures, nothing fetched, no colours of its own for text and ground but one that both bear.

use std::fmt::Write as _;

use sentinel_engine::Severity;

use super::super::RenderedMessage;
use super::mail::is_invisible;

/// Legible on white as well as on black (contrast 4.5 to 1).
const MUTED: &str = "#767676";

/// The page for `letter`.
pub(super) fn page(rendered: &RenderedMessage<'_>, subject: &str) -> String {
    let text = &rendered.text;
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"margin:0;padding:12px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
         font-size:16px;line-height:1.45\">\n<div style=\"max-width:42em;overflow-wrap:anywhere\">\n\
         <p style=\"margin:0 0 16px;padding:4px 0 4px 12px;border-left:5px solid {};font-size:18px;font-weight:600\">{}</p>\n",
        escape(subject),
        colour(rendered),
        escape(&text.title)
    );
    facts(&mut page, &text.facts);
    list(&mut page, "Incidents", &text.members);
    list(&mut page, "What happened", &text.timeline);
    for evidence in &text.evidence {
        put(
            &mut page,
            format_args!(
                "<p style=\"margin:16px 0 4px;font-weight:600\">{}</p>\n\
                 <pre style=\"margin:0;padding:8px;border:1px solid {MUTED};border-radius:4px;font-size:13px;\
                 white-space:pre-wrap;overflow-wrap:anywhere\">{}</pre>\n",
                escape(&evidence.title),
                escape(&evidence.text)
            ),
        );
    }
    if let Some(written) = &text.written {
        put(
            &mut page,
            format_args!("<p style=\"margin:0;white-space:pre-wrap\">{}</p>\n", escape(written)),
        );
    }
    if let Some(url) = text.url.as_deref().filter(|url| is_web(url)) {
        let url = escape(url);
        put(
            &mut page,
            format_args!("<p style=\"margin:16px 0 0\"><a href=\"{url}\">{url}</a></p>\n"),
        );
    }
    page.push_str("</div>\n</body>\n</html>\n");
    page
}

/// Names and values. As a table, since that is what terminals and old clients set side by side.
fn facts(page: &mut String, facts: &[(&'static str, String)]) {
    if facts.is_empty() {
        return;
    }
    page.push_str("<table role=\"presentation\" style=\"border-collapse:collapse;font-size:16px\">\n");
    for (name, value) in facts {
        put(
            page,
            format_args!(
                // On a phone a long value leaves no room for the name, which would be broken between letters.
                "<tr><td style=\"padding:2px 12px 2px 0;vertical-align:top;white-space:nowrap;color:{MUTED}\">{}</td>\
                 <td style=\"padding:2px 0;vertical-align:top\">{}</td></tr>\n",
                escape(name),
                escape(value)
            ),
        );
    }
    page.push_str("</table>\n");
}

/// Lines under a heading.
fn list(page: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    put(
        page,
        format_args!(
            "<p style=\"margin:16px 0 4px;font-weight:600\">{heading}</p>\n\
             <ul style=\"margin:0;padding-left:20px\">\n"
        ),
    );
    for line in lines {
        put(page, format_args!("<li>{}</li>\n", escape(line)));
    }
    put(page, format_args!("</ul>\n"));
}

/// How it stands: over, or how bad.
fn colour(rendered: &RenderedMessage<'_>) -> &'static str {
    let data = &rendered.message.data;
    match data.severity {
        _ if data.resolution.is_some() => "#2e7d32",
        Severity::Critical => "#c62828",
        Severity::Warning => "#ef6c00",
        Severity::Info => "#1565c0",
    }
}

/// Whether a link leads to a page, and nowhere else.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Text as HTML: nothing in it is a tag, and nothing is hidden.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            letter if letter.is_control() || is_invisible(letter) => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(text);
}
