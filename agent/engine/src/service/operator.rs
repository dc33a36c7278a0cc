//! What operators ask for. They win over every rule but one: two actions on a service never overlap.

use sentinel_text::span;

use super::{Context, Machine};
use crate::event::{OperatorRequest, RequestError};
use crate::report::ReportKind;

impl Machine {
    /// Whether `request` can be carried out now.
    pub(crate) fn check_request(&self, request: &OperatorRequest) -> Result<(), RequestError> {
        match request {
            _ if self.is_leaving() => Err(RequestError::UnknownService),
            OperatorRequest::Restart if !self.service.has_target => Err(RequestError::NoTarget),
            OperatorRequest::Restart if self.is_unobservable() => Err(RequestError::Unobservable),
            OperatorRequest::Restart if self.target.unusable().is_some() => Err(RequestError::Unusable),
            OperatorRequest::Restart if self.actions.in_flight.is_some() => Err(RequestError::InFlight),
            OperatorRequest::Resume if self.memory.pause.is_none() => Err(RequestError::NotPaused),
            _ => Ok(()),
        }
    }

    /// An operator asked for something. What cannot be done is ignored here; see [`Machine::check_request`].
    pub(crate) fn requested(&mut self, request: &OperatorRequest, cx: &mut Context<'_>) {
        if self.check_request(request).is_err() {
            return;
        }
        self.unsaved = true;
        let words = match request {
            OperatorRequest::Restart => "restart".to_owned(),
            OperatorRequest::Pause { duration: None } => "pause".to_owned(),
            OperatorRequest::Pause {
                duration: Some(duration),
            } => format!("pause for {}", span(*duration)),
            OperatorRequest::Resume => "resume".to_owned(),
            OperatorRequest::BeginDeploy { duration, .. } => format!("deploy, for at most {}", span(*duration)),
            OperatorRequest::EndDeploy { .. } => "the deploy ended".to_owned(),
        };
        self.report(ReportKind::OperatorActed { request: words }, cx);
        match request {
            OperatorRequest::Restart => {
                self.forget_attempts();
                self.refusals.hold = None;
                self.begin(None, cx);
            }
            OperatorRequest::Pause { duration } => self.pause(*duration, cx.now),
            OperatorRequest::Resume => self.memory.pause = None,
            OperatorRequest::BeginDeploy { id, duration } => self.begin_deploy(*id, *duration, cx.now),
            OperatorRequest::EndDeploy { id } => self.end_deploy(*id),
        }
    }
}
