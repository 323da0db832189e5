//! Properties of the core under random commands, against naive models.

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

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
