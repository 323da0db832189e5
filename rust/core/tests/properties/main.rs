//! Properties of the core under random commands, against naive models.
//!
//! `make soak` sets `FERROGEN_EXAMPLES`: a property takes so many times the cases that it states,
//! and else half of them.

mod checks;
mod commands;
mod harness;
mod histogram;
mod machine;
mod model;
mod names;
mod passivation;
mod perform;
mod queue;
mod routes;
mod statistics;
mod stuck;
mod wrong_reports;

use proptest::test_runner::Config;

fn config(stated: u32) -> Config {
    let times = std::env::var("FERROGEN_EXAMPLES").ok().and_then(|text| text.parse::<u32>().ok());
    let cases = times.filter(|&times| times > 0).map_or(stated / 2, |times| stated * times);
    Config { cases, failure_persistence: None, ..Config::default() }
}
