//! Asks the clock how long each scenario takes. Criterion compares with the run before.

mod scenarios;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for scenario in scenarios::SCENARIOS {
        criterion.bench_function(scenario.name, |bencher| bencher.iter((scenario.prepare)()));
    }
    criterion.final_summary();
}
