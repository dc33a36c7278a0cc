//! What must never happen, and what must always happen in the end. Each is asked before what it is asked about enters
//! the ledger.

mod audience;
mod limits;
mod notifications;
mod permission;
mod progress;
mod record;

use std::time::Duration;

use sentinel_engine::{Action, Command, Notification, Time};

use super::known::Known;
use super::ledger::Ledger;
use super::tape::Entry;

/// The gap that is added when a supervisor has given up.
const AFTER_SUPERVISOR: Duration = Duration::from_secs(60);
/// What anything may be late because events are.
const SLACK: Duration = Duration::from_secs(20);

/// Why an invariant does not hold.
pub type Judgement = Result<(), String>;

/// An invariant, asked about one thing that passed.
pub type Invariant = fn(&Ledger, Time, &Entry) -> Judgement;

/// All of them, by the numbers of the table in `invariants.rs` where they have one.
pub const INVARIANTS: [(&str, Invariant); 50] = [
    ("1 shutdown", permission::nothing_is_done_while_the_host_goes_down),
    ("2 unobservable", permission::nothing_is_done_without_an_observation),
    ("3 maintenance", permission::nothing_is_done_in_maintenance),
    ("3 peace", notifications::nothing_fires_in_maintenance),
    ("4 operator stop", permission::no_operator_stop_is_undone),
    ("4 drain", permission::no_drain_is_cut_short),
    ("5 busy", permission::nothing_busy_is_disturbed),
    ("5 supervisor first", permission::supervisors_go_first),
    ("6 run", record::actions_are_about_the_run_that_was_judged),
    ("7 one in flight", limits::actions_never_overlap),
    ("7 no start holds another's", limits::no_start_holds_anothers),
    ("8 intent first", record::intents_are_on_disk_before_the_act),
    ("9 give up", limits::nothing_is_done_after_giving_up),
    ("10 dependencies", permission::dependencies_go_first),
    ("11 budget", limits::budgets_are_kept),
    (
        "11 starts by the agent in any window <= 3 x burst",
        limits::whoever_starts_it_budgets_end,
    ),
    (
        "11 an operator's start is a clean slate",
        limits::an_operators_start_is_a_clean_slate,
    ),
    ("12 host", limits::the_host_is_spared),
    ("12 storm", limits::storms_stop_everything),
    ("12 false storm", limits::storms_are_not_made_up),
    ("13 backoff", limits::attempts_keep_their_distance),
    ("13 called off", limits::what_was_called_off_is_not_repeated_at_once),
    ("13 what passes is asked again", progress::what_passes_is_asked_again),
    ("14 grace", permission::only_what_is_down_is_restarted),
    ("15 boot grace", permission::nothing_is_done_while_the_host_boots),
    ("16 ids", record::action_ids_are_never_used_twice),
    ("17 fired once", notifications::each_is_notified_once),
    ("18 resolved", notifications::the_end_follows_its_beginning),
    ("19 gave up", notifications::giving_up_is_part_of_an_incident),
    ("20 one incident", notifications::incidents_open_and_close_in_turn),
    ("20 outage", notifications::an_outage_ends_after_its_last_failure),
    ("21 healthy", progress::healthy_services_have_no_incident),
    ("21 proof", progress::only_a_new_run_that_lasts_is_proof),
    ("22 liveness", progress::what_can_be_healed_is_acted_on),
    ("23 silence", notifications::no_outage_is_kept_back),
    (
        "23 bounded silence",
        notifications::nothing_down_stays_silent_beyond_its_bound,
    ),
    ("25 clock", record::only_the_drivers_clock_counts),
    ("26 crash", record::agent_crashes_grant_no_budget),
    ("27 reload", record::reloads_grant_no_budget),
    ("28 configured", permission::nothing_is_done_to_what_is_not_configured),
    (
        "29 first pass",
        permission::nothing_that_never_passed_is_restarted_for_it,
    ),
    ("29 restart_on", permission::what_a_restart_cannot_help_restarts_nothing),
    (
        "30 what fell with another is not started before it is back, and is started once it is",
        permission::what_fell_with_another_waits_for_it,
    ),
    ("31 receivers", audience::messages_reach_whom_the_rules_choose),
    ("32 the end", audience::whoever_heard_the_beginning_hears_the_end),
    ("33 silences", audience::silences_are_kept),
    ("34 reminders", audience::reminders_are_due),
    ("35 bounded messages", audience::messages_are_bounded),
    ("flapping", notifications::flapping_is_notified_once_and_its_end_once),
    ("bounds", progress::the_engine_does_not_spin),
];

/// The message that `entry` decides on, where it arrives as the engine says it.
fn message<'a>(ledger: &Ledger, entry: &'a Entry) -> Option<&'a Notification> {
    match entry {
        _ if !ledger.audience.is_plain() => None,
        Entry::Decided(Command::Notify(outgoing)) => Some(&outgoing.notification),
        _ => None,
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The own attempt that `entry` decides on, and its service.
fn own_attempt<'a>(ledger: &'a Ledger, entry: &'a Entry) -> Option<(&'a Action, &'a Known)> {
    match entry {
        Entry::Decided(Command::RestartTarget(action)) if action.attempt > 0 => {
            Some((action, &ledger.services[&action.service]))
        }
        _ => None,
    }
}

/// The action that `entry` decides on, whoever asked for it, and its service.
fn any_action<'a>(ledger: &'a Ledger, entry: &'a Entry) -> Option<(&'a Action, &'a Known)> {
    match entry {
        Entry::Decided(Command::RestartTarget(action)) => Some((action, &ledger.services[&action.service])),
        _ => None,
    }
}
