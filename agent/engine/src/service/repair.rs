//! A start or restart by another party: an operator's repair, and a clean slate.
//!
//! Whoever starts a service that was given up has fixed something, or believes so; what was tried before says nothing
//! of what they made of it. But the agent cannot distinguish an operator from a script that starts the service every
//! minute, and a budget that anybody refills is none. So attempts and giving up are forgotten at most [`REPAIRS`] times
//! within `window`; the next one is reported, and forgets nothing. The limits of the whole host are never refilled.

use sentinel_text::span;

use super::{Context, Machine};
use crate::notification::{News, NotificationKind};
use crate::report::ReportKind;
use crate::time::Time;

/// How often within `window` a start by another party is a clean slate.
const REPAIRS: usize = 2;

impl Machine {
    /// Another party has begun the run that is there now.
    pub(super) fn note_repair(&mut self, cx: &mut Context<'_>) {
        // It was not that attempt which began this run; it was made all the same.
        let attempt = self.memory.attempt.as_ref().filter(|attempt| !attempt.requested);
        let spent = attempt.map(|attempt| (attempt.started_at, self.memory.next_attempt));
        self.cut_short("something else restarted it".to_owned(), cx);
        if !self.has_slate() {
            return;
        }
        self.unsaved = true;
        let window = self.service.policy.window;
        let repairs = &mut self.memory.repairs;
        repairs.retain(|at| cx.now.since(*at) < window);
        let refills = repairs.len() < REPAIRS;
        if repairs.len() <= REPAIRS {
            repairs.push(cx.now);
        } else {
            // Notified already.
            return;
        }
        if refills {
            self.forget_attempts();
            if let Some((at, next_attempt)) = spent {
                self.memory.attempts = 1;
                self.memory.budget.spend(window, at);
                self.memory.next_attempt = next_attempt;
            }
            let request = "started by something else; earlier attempts are forgotten".to_owned();
            self.report(ReportKind::OperatorActed { request }, cx);
            return;
        }
        let times = u32::try_from(REPAIRS + 1).unwrap_or(u32::MAX);
        let request = format!(
            "restarted by something else {times} times in {}; earlier attempts are no longer forgotten",
            span(window)
        );
        self.report(
            ReportKind::OperatorActed {
                request: request.clone(),
            },
            cx,
        );
        let Some(incident) = self
            .memory
            .incident
            .as_ref()
            .filter(|_| !self.in_peace(cx) && !self.is_flapping())
        else {
            return;
        };
        let kind = NotificationKind::Update {
            news: News::Restarted { times, within: window },
            duration: cx.now.since(incident.opened_at),
        };
        self.notify(kind, &request, cx);
    }

    /// When what its supervisor had given up has lived long enough to be called well again, if it has not yet: in such a
    /// loop every start looks well for a moment.
    pub(super) fn must_last_until(&self, cx: &Context<'_>) -> Option<Time> {
        let incident = self.memory.incident.as_ref()?;
        let lived = self.target.run_since + self.service.policy.min_uptime;
        (incident.limited && self.runs() && lived > cx.now).then_some(lived)
    }
}
